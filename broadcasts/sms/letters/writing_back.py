"""Messages to single numbers: an officer's answer, a word to the cadres of a village, what the hub answers itself."""

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.sms.letters import inbox
from broadcasts.sms.models import SmsInbound, SmsRun
from broadcasts.sms.purposes import ANSWER, StepKind
from broadcasts.sms.sending import outbox
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Priority
from hub.audit import log
from hub.core.actor import Actor
from hub.core.errors import BadInput, Problems
from hub.regions.models import Region
from hub.regions.tree import Level, codes_in
from hub.residents import extra
from hub.residents.models import NumberKind, Resident
from hub.residents.reach import reach_of
from hub.residents.wanted import Wanted
from hub.web.words import TEMPLATES

LASTS = timedelta(hours=24)
CADRES = "村干部"
"""The tag of those a cry for help is passed on to."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the hub itself writes to residents, from templates/messages/answers.toml."""

    opt_out: str
    opt_out_topic: str
    opt_in: str
    opt_in_topic: str
    ask: str
    nothing: str
    pass_on: str
    woken: str
    woken_by_page: str
    woken_others: str
    woken_phone: str
    woken_no_phone: str
    test: str
    hearing: str
    topics: dict[str, str]


@cache
def words() -> Words:
    """Return them."""
    path = TEMPLATES / "messages" / "answers.toml"
    return Words(**tomllib.loads(path.read_text(encoding="utf-8")))


def write_to(
    session: Session,
    found: SmsInbound,
    text: str,
    *,
    run_id: UUID,
    urgent: bool,
    settings: SmsSettings,
    now: datetime,
) -> SmsRun:
    """Send a text to the number a message came from. Once per `run_id`."""
    extra.remember(session, found.phone_index, found.sealed, found.masked, NumberKind.MOBILE, now=now)
    audience = Audience(
        (home_of(session, found),), speakers=False, sms=True, people=False, numbers=(found.phone_index.hex(),)
    )
    return outbox.plan_run(
        session,
        broadcast_id=run_id,
        text=text,
        signature=settings.signature,
        audience=audience,
        priority=Priority.EMERGENCY if urgent else Priority.DRILL,
        expires_at=now + LASTS,
        settings=settings,
        now=now,
        about=ANSWER,
    )


def answer(
    session: Session, actor: Actor, inbound_id: UUID, text: str, *, settings: SmsSettings, now: datetime
) -> SmsRun:
    """Write back in one's own words. BadInput when the text will not do."""
    found = inbox.get(session, actor, inbound_id)
    if not found.sealed or found.masked.endswith("****"):
        raise BadInput("sms_no_telephone", field="text")
    _check(text, settings)
    run = write_to(session, found, text, run_id=uuid7(), urgent=found.urgent, settings=settings, now=now)
    inbox.acknowledge(session, actor, found, StepKind.TEXTED, text.strip()[: inbox.NOTE_LENGTH], now=now)
    log.record(session, actor, "sms.answered", f"sms_inbound:{found.id}", found.region_path, now)
    return run


def cadres_of(session: Session, found: SmsInbound) -> int:
    """Return how many telephones of cadres there are in the sender's village."""
    village = _village(found)
    return reach_of(session, Wanted((village,), (CADRES,))).emergency if village else 0


def pass_on(session: Session, actor: Actor, inbound_id: UUID, *, settings: SmsSettings, now: datetime) -> int:
    """Send it to the cadres of the sender's village; return to how many telephones. Name and place, never the number.

    BadInput when the village has nobody with that tag.
    """
    found = inbox.get(session, actor, inbound_id)
    people = cadres_of(session, found)
    if not people:
        raise BadInput("sms_no_cadres", field="pass_on", tag=CADRES)
    name = session.scalar(select(Resident.name).where(Resident.id == found.resident_id)) if found.resident_id else None
    said = inbox.said(session, [found])[found.id]
    text = words().pass_on.format(name=name or "", masked=found.masked, text=said[:200], by=actor.name)
    outbox.plan_run(
        session,
        broadcast_id=uuid7(),
        text=text.replace("【", "[").replace("】", "]"),
        signature=settings.signature,
        audience=Audience((codes_in(_village(found))[-1],), speakers=False, sms=True, tags=(CADRES,)),
        priority=Priority.EMERGENCY if found.urgent else Priority.DRILL,
        expires_at=now + LASTS,
        settings=settings,
        now=now,
        about=ANSWER,
    )
    inbox.acknowledge(session, actor, found, StepKind.PASSED_ON, str(people), now=now)
    log.record(session, actor, "sms.passed_on", f"sms_inbound:{found.id}", found.region_path, now, people=people)
    return people


def answer_id(found: SmsInbound) -> UUID:
    """Return the id of the hub's own answer to a message: however often it is tried, there is one."""
    return uuid5(NAMESPACE_URL, f"cunxiang:answer:{found.id}")


def answered_today(session: Session, index: bytes, since: datetime) -> int:
    """Return how many answers of the hub itself a number got since a moment."""
    return (
        session.scalar(select(func.count()).where(SmsInbound.phone_index == index, SmsInbound.answered_at >= since))
        or 0
    )


def _check(text: str, settings: SmsSettings) -> None:
    problems = outbox.check_text(text, settings.signature)
    for problem in problems:
        problem.field = "text"
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)


def _village(found: SmsInbound) -> str:
    codes = codes_in(found.region_path)[:3]
    return "".join(f"{code}/" for code in codes) if len(codes) == 3 else ""


def home_of(session: Session, found: SmsInbound) -> str:
    """Return the region the answer belongs to: the sender's own, the county for numbers nobody has."""
    if found.region_path:
        return codes_in(found.region_path)[-1]
    return session.scalars(select(Region.code).where(Region.level == Level.COUNTY).order_by(Region.code)).first() or ""
