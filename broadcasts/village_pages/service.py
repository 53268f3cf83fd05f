"""Open and close villages' pages, give them another address, and find a village by its address."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.feedback import intake
from broadcasts.feedback.intake import LONGEST, Heard
from broadcasts.feedback.kinds import ComplaintKind, Way
from broadcasts.feedback.models import Complaint
from broadcasts.feedback.service import sealed_number
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.sms.letters.commands import is_urgent
from broadcasts.village_pages.models import VillagePage
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotFound, TooMany
from hub.regions import service as regions
from hub.regions.models import Region
from hub.regions.service import Node
from hub.regions.tree import Level
from hub.residents.phones import PhoneSafe

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that is taken for another on paper."""
LENGTH = 12
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Line:
    """One village and its page, if it has one."""

    code: str
    name: str
    township: str
    page: VillagePage | None
    may_change: bool

    @property
    def open(self) -> bool:
        """Whether everybody may look."""
        return self.page is not None and self.page.open


@dataclass(frozen=True, slots=True)
class Village:
    """The village behind an address."""

    code: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody sent from the page. `trap`: a field that people do not see and programs fill."""

    kind: ComplaintKind
    text: str
    phone: str
    broadcast_id: UUID | None
    trap: bool = False


def lines(session: Session, actor: Actor) -> list[Line]:
    """Return every village the actor sees, with its page."""
    nodes = [node for top in regions.forest(session, actor) for node in top.walk() if node.level is Level.VILLAGE]
    pages = {page.region_code: page for page in session.scalars(select(VillagePage))}
    above = regions.names(session, {node.code[:9] + "000" for node in nodes})
    return [
        Line(
            node.code,
            node.name,
            above.get(node.code[:9] + "000", ""),
            pages.get(node.code),
            actor.may(Permission.EDIT_REGIONS, node.path),
        )
        for node in nodes
    ]


def set_open(session: Session, actor: Actor, code: str, *, open_: bool, now: datetime) -> int:
    """Open or close the pages of all villages of a place; return how many changed.

    The texts were heard by the whole village, but a page can be read anywhere and for days: who answers for the
    county's places decides.
    """
    changed = 0
    for node in _villages(session, actor, code):
        page = session.get(VillagePage, node.code)
        if page is None and open_:
            page = VillagePage(
                region_code=node.code,
                region_path=node.path,
                token=_new_token(session),
                open=False,
                made_at=now,
                changed_at=now,
                changed_by_name=actor.name[:60],
            )
            session.add(page)
        if page is None or page.open is open_:
            continue
        page.open, page.changed_at, page.changed_by_name = open_, now, actor.name[:60]
        session.flush()
        deed = "village_page.open" if open_ else "village_page.close"
        log.record(session, actor, deed, f"region:{node.code}", node.path, now)
        changed += 1
    return changed


def renew(session: Session, actor: Actor, code: str, *, now: datetime) -> VillagePage:
    """Give a village's page another address; the old one leads nowhere from now on."""
    page = session.get(VillagePage, code)
    region = regions.get_region(session, actor, code)
    actor.require(Permission.EDIT_REGIONS, region.path)
    if page is None:
        raise NotFound("village_page_unknown")
    page.token, page.changed_at, page.changed_by_name = _new_token(session), now, actor.name[:60]
    session.flush()
    log.record(session, actor, "village_page.renew", f"region:{code}", region.path, now)
    return page


def to_print(session: Session, actor: Actor, code: str) -> tuple[Region, VillagePage]:
    """Return a village the actor sees and its open page, to be printed."""
    region = regions.get_region(session, actor, code)
    page = session.get(VillagePage, code)
    if page is None or not page.open:
        raise NotFound("village_page_unknown")
    return region, page


def find(session: Session, token: str) -> Village:
    """Return the village behind an address; a closed page is not there at all."""
    row = session.execute(
        select(Region.code, Region.name, Region.path)
        .join(VillagePage, VillagePage.region_code == Region.code)
        .where(VillagePage.token == token, VillagePage.open)
    ).first()
    if row is None:
        raise NotFound("village_page_unknown")
    return Village(row.code, row.name, row.path)


def take_in(
    session: Session,
    village: Village,
    form: Form,
    *,
    offered: Sequence[UUID],
    safe: PhoneSafe,
    settings: FeedbackSettings,
    now: datetime,
) -> Complaint | None:
    """Keep what somebody sent from a village's page; None when a program sent it. Words of danger are always kept."""
    text = form.text.strip()
    urgent = is_urgent(text)
    if form.trap and not urgent:
        return None
    if len(text) > LONGEST:
        raise BadInput("complaint_too_long", field="text", most=LONGEST)
    if form.kind is ComplaintKind.OTHER and not text:
        raise BadInput("complaint_text_missing", field="text")
    phone = sealed_number(form.phone, safe) if form.phone.strip() else None
    if not urgent and _today(session, village.path, now) >= settings.forms_per_day:
        raise TooMany("complaints_enough_today", retry_after_s=3600)
    heard = Heard(
        kind=form.kind,
        way=Way.PAGE,
        region_path=village.path,
        text=text,
        broadcast_id=form.broadcast_id if form.broadcast_id in offered else None,
        phone=phone,
    )
    return intake.keep(session, heard, settings=settings, at=now)


def _today(session: Session, path: str, now: datetime) -> int:
    query = select(func.count()).where(
        Complaint.way == Way.PAGE, Complaint.region_path == path, Complaint.received_at > now - DAY
    )
    return session.scalar(query) or 0


def _villages(session: Session, actor: Actor, code: str) -> list[Node]:
    top = regions.subtree(session, actor, code)
    actor.require(Permission.EDIT_REGIONS, top.path)
    return [node for node in top.walk() if node.level is Level.VILLAGE]


def _new_token(session: Session) -> str:
    while True:
        token = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        if session.scalar(select(VillagePage.region_code).where(VillagePage.token == token)) is None:
            return token
