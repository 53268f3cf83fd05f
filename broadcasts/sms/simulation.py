"""Who may make the simulated network behave badly, and how."""

from datetime import datetime

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from broadcasts.sms.gateways.local import Switches, set_switches
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed


def may_switch(actor: Actor, *, demo: bool) -> bool:
    """Return whether somebody may.

    It concerns every message of the county, so the county's administrator; in a demo everybody who sees the phones.
    """
    if demo:
        return actor.may_somewhere(Permission.SEE_RESIDENTS)
    return any(path.count("/") <= 1 for path in actor.paths(Permission.EDIT_ACCOUNTS))


def switch(session: Session, actor: Actor, wanted: Switches, *, demo: bool, now: datetime) -> None:
    """Make the simulated network behave like that from now on."""
    if not may_switch(actor, demo=demo):
        raise NotAllowed("not_allowed", permission=Permission.EDIT_ACCOUNTS.value)
    set_switches(session, wanted)
    log.record(
        session,
        actor,
        "sms.simulation",
        "sms:local",
        "",
        now,
        fail_percent=wanted.fail_percent,
        extra_delay_s=wanted.extra_delay_s,
        drop_percent=wanted.drop_percent,
        stopped=wanted.stopped,
    )


def wanted_in(form: MultiDict[str, str]) -> Switches:
    """Return how the simulated network shall behave; BadInput for what is no number or too large."""
    return Switches(
        fail_percent=_amount(form, "fail_percent", 100),
        extra_delay_s=_amount(form, "extra_delay_s", 3600),
        drop_percent=_amount(form, "drop_percent", 100),
        stopped=form.get("stopped") == "1",
    )


def _amount(form: MultiDict[str, str], name: str, most: float) -> float:
    text = form.get(name, "").strip() or "0"
    try:
        value = float(text)
    except ValueError:
        raise BadInput("number_malformed", field=name) from None
    if not 0 <= value <= most:
        raise BadInput("sms_switch_range", field=name, most=int(most))
    return value
