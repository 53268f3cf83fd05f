"""A list of residents that leaves the hub: why is asked and written down, whole numbers are for who keeps the list."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput
from hub.regions import service as regions
from hub.regions.tree import codes_in, common
from hub.residents import searching, service
from hub.residents.importing import COLUMNS
from hub.residents.models import AwayConsent, Resident
from hub.residents.phones import PhoneSafe
from hub.web.spreadsheets import write_csv

LEAST_REASON, LONGEST_REASON = 4, 100
PIECE: Final = 500
_CONSENT = {AwayConsent.YES: "要", AwayConsent.NO: "不要", AwayConsent.UNASKED: ""}


def export(
    session: Session,
    actor: Actor,
    *,
    region: str,
    tag: str,
    without_mobile: bool = False,
    whole_numbers: bool,
    reason: str,
    safe: PhoneSafe,
    now: datetime,
) -> bytes:
    """Return the residents of a place as CSV in the columns an import reads. BadInput without a reason.

    Whole numbers need the right to edit everywhere that is exported.
    """
    reason = reason.strip()
    if not LEAST_REASON <= len(reason) <= LONGEST_REASON:
        raise BadInput("export_reason", field="reason", least=LEAST_REASON, most=LONGEST_REASON)
    path = service.visible_region(session, actor, region).path if region else ""
    rows, paths = [], set()
    names: dict[str, str] = {}
    for one in _all(session, actor, path, tag, without_mobile, safe):
        if whole_numbers:
            actor.require(Permission.EDIT_RESIDENTS, one.region_path)
        paths.add(one.region_path)
        rows.append(_row(session, one, names, safe if whole_numbers else None))
    home = common(sorted(paths)) or path
    details = {"people": len(rows), "whole_numbers": whole_numbers, "reason": reason}
    log.record(session, actor, "residents.export", "residents", home, now, **details)
    return write_csv(COLUMNS, rows)


def _all(
    session: Session, actor: Actor, path: str, tag: str, without_mobile: bool, safe: PhoneSafe
) -> Iterator[Resident]:
    after: searching.After | None = None
    while True:
        page = searching.list_residents(
            session,
            actor,
            safe=safe,
            region_path=path,
            tag=tag,
            without_mobile=without_mobile,
            after=after,
            limit=PIECE,
        )
        yield from page.residents
        session.expunge_all()
        after = page.after
        if after is None:
            return


def _row(session: Session, one: Resident, names: dict[str, str], safe: PhoneSafe | None) -> list[str]:
    codes = codes_in(one.region_path)
    missing = {code for code in codes if code not in names}
    names.update(regions.names(session, missing) if missing else {})
    phones = [safe.open(phone.sealed).removeprefix("+86") if safe else phone.masked for phone in one.phones]
    return [
        one.name,
        "、".join(phones),
        names.get(codes[2], codes[2]) if len(codes) > 2 else "",
        names.get(codes[3], codes[3]) if len(codes) > 3 else "",
        "、".join(sorted(tag.tag for tag in one.tags)),
        "是" if one.away else "否",
        _CONSENT[one.away_consent],
        one.household,
    ]
