"""The providers of text messages: how each does, a test message, and what the words for a message's state mean."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from broadcasts.sms.providers import managing
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.settings import SmsSettings
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, Part, lazy_gettext
from hub.web.words import explain, sentence
from hub.web.work import actor, now, work

bp = Blueprint("sms_providers", __name__)
manage = permission_required(Permission.EDIT_ACCOUNTS)


def add_to_menu(runtime: Runtime) -> None:
    """Put the providers into the menu of whoever administers."""
    entry = Entry(
        "sms-providers",
        lazy_gettext("短信通道"),
        "wifi",
        "sms_providers.show",
        Permission.EDIT_ACCOUNTS,
        4,
        33,
        part=Part.TEXTS,
        about=lazy_gettext("接哪家短信公司，先用哪家"),
    )
    runtime.get(Menu).add(entry)


@bp.get("/sms/providers")
@manage
def show() -> ResponseReturnValue:
    """Show every provider."""
    return _page()


@bp.post("/sms/providers/<name>/again")
@manage
def again(name: str) -> ResponseReturnValue:
    """Use a provider again."""
    with work() as session:
        managing.use_again(session, actor(), runtime().get(SmsProvider), name, now=now())
    return redirect(url_for("sms_providers.show"))


@bp.post("/sms/providers/<name>/test")
@manage
def test(name: str) -> ResponseReturnValue:
    """Send one test message through a provider."""
    provider, signature = runtime().get(SmsProvider), runtime().config.section(SmsSettings).signature
    number, text = request.form.get(f"number_{name}", ""), request.form.get(f"text_{name}", "")
    try:
        submission = managing.prepare_test(actor(), provider, name, number, text, signature, now=now())
    except BadInput as error:
        where = "text" if error.field == "text" else "number"
        return _page(name, {f"{where}_{name}": explain(error, language())}), 422
    tested = managing.send_test(provider, name, submission)
    with work() as session:
        managing.note_test(session, actor(), tested, now=now())
    words = sentence(f"sms_test_{tested.outcome}", language(), code=tested.code, masked=tested.masked)
    flash(words, "ok" if tested.outcome == "accepted" else "bad")
    return redirect(url_for("sms_providers.show"))


@bp.get("/sms/states")
@permission_required(Permission.SEE_RESIDENTS)
def states() -> ResponseReturnValue:
    """Say what every state of a message means."""
    settings = runtime().config.section(SmsSettings)
    return render_template("broadcasts/sms/states.html", again_s=settings.emergency_resend_after_s)


def _page(tested: str = "", errors: dict[str, str] | None = None) -> str:
    lines = managing.lines(actor(), runtime().get(SmsProvider), runtime().base_url, now=now())
    wanted = request.form if tested else {}
    return render_template(
        "broadcasts/sms/providers.html",
        lines=lines,
        tested=tested,
        number=wanted.get(f"number_{tested}", ""),
        text=wanted.get(f"text_{tested}", _("测试短信，收到不用理会。")),
        errors=errors or {},
        rules=runtime().config.section(SmsSettings),
    )
