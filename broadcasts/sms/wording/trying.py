"""The unit's own telephones: a text is tried on them, and on nobody else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.sms.letters.writing_back import words
from broadcasts.sms.models import SmsRun
from broadcasts.sms.purposes import TEST
from broadcasts.sms.sending import outbox
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Priority
from broadcasts.sms.wording_models import TestPhone
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions.tree import codes_in
from hub.residents import extra
from hub.residents.models import NumberKind
from hub.residents.phones import PhoneSafe, normalise

MOST = 20
LASTS = timedelta(hours=1)
APART = timedelta(seconds=20)
NAME_LENGTH = 40


def group(session: Session, actor: Actor) -> Sequence[TestPhone]:
    """Return the telephones of the actor's own unit."""
    query = select(TestPhone).where(TestPhone.home_path == _home(actor)).order_by(TestPhone.added_at, TestPhone.id)
    return session.scalars(query).all()


def add(session: Session, actor: Actor, name: str, number: str, *, safe: PhoneSafe, now: datetime) -> TestPhone:
    """Put a telephone into the group. BadInput for a number that takes no messages, or one too many."""
    home = _home(actor)
    if not 1 <= len(name.strip()) <= NAME_LENGTH:
        raise BadInput("resident_name_missing", field="name")
    given = normalise(number)
    if given.kind is not NumberKind.MOBILE:
        raise BadInput("test_phone_no_mobile", field="phone")
    known = group(session, actor)
    index = safe.index(given.e164)
    if any(phone.index == index for phone in known):
        raise BadInput("test_phone_twice", field="phone")
    if len(known) >= MOST:
        raise BadInput("test_phones_full", field="phone", most=MOST)
    phone = TestPhone(
        home_path=home,
        name=name.strip(),
        index=index,
        sealed=safe.seal(given.e164),
        masked=given.masked,
        kind=given.kind,
        added_at=now,
        by_name=actor.name[:40],
    )
    session.add(phone)
    session.flush()
    log.record(session, actor, "test_phone.add", f"test_phone:{phone.id}", home, now)
    return phone


def remove(session: Session, actor: Actor, phone_id: UUID, *, now: datetime) -> None:
    """Take a telephone out of the group."""
    phone = session.get(TestPhone, phone_id)
    if phone is None or phone.home_path != _home(actor):
        raise NotFound("test_phone_unknown")
    session.delete(phone)
    log.record(session, actor, "test_phone.remove", f"test_phone:{phone_id}", phone.home_path, now)


def send(session: Session, actor: Actor, text: str, *, settings: SmsSettings, now: datetime) -> int:
    """Try a text on the unit's own telephones; return on how many. It is marked as a test and reaches nobody else."""
    phones = group(session, actor)
    if not phones:
        raise BadInput("test_group_empty", field="sms_text")
    marked = words().test.format(text=text.strip()) if text.strip() else ""
    problems = outbox.check_text(marked, settings.signature)
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    _not_too_often(session, actor, now)
    for phone in phones:
        extra.remember(session, phone.index, phone.sealed, phone.masked, phone.kind, now=now)
    home = _home(actor)
    outbox.plan_run(
        session,
        broadcast_id=uuid7(),
        text=marked,
        signature=settings.signature,
        audience=Audience(
            (codes_in(home)[-1],),
            speakers=False,
            sms=True,
            people=False,
            numbers=tuple(phone.index.hex() for phone in phones),
        ),
        priority=Priority.DRILL,
        expires_at=now + LASTS,
        settings=settings,
        now=now,
        about=TEST,
    )
    log.record(session, actor, "sms.tried", "sms", home, now, people=len(phones))
    return len(phones)


def _not_too_often(session: Session, actor: Actor, now: datetime) -> None:
    recent = select(SmsRun.audience).where(SmsRun.purpose == TEST.purpose, SmsRun.created_at > now - APART)
    home = _home(actor)
    if any(Audience.from_json(stored).paths == (home,) for stored in session.scalars(recent)):
        raise WrongState("test_too_often")


def _home(actor: Actor) -> str:
    paths = actor.paths(Permission.COMPOSE)
    if not paths:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    return paths[0]
