"""What lies on the desk of the demo: a programme every day, one announcement waiting, one half written."""

import tomllib
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import When
from broadcasts.announcements.sounding import as_spoken, record
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Theme
from broadcasts.speech.engine import SpeechFailed
from broadcasts.studio import Studio
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import Runtime
from hub.regions.tree import codes_in

FILE = Path(__file__).resolve().parents[1] / "templates" / "messages" / "routine" / "examples.toml"
HOURS_AHEAD = 2
DAYS = 30


def seed(runtime: Runtime) -> None:
    """Write the three as the township's clerk; without a voice only the draft is made."""
    words = tomllib.loads(FILE.read_text(encoding="utf-8"))
    with runtime.sessions.read() as session:
        clerk, approver = _person(session, "clerk"), _person(session, "approver")
    home = codes_in(clerk.scopes[0].path)[-1]
    local = runtime.now().astimezone(runtime.zone)
    at = (local + timedelta(hours=HOURS_AHEAD)).replace(minute=0)
    programme = Draft(
        **words["programme"],
        sms_text="",
        theme=Theme.FRAUD,
        audience=Audience((home,)),
        when=When.DAILY,
        daily_at=f"{at:%H:%M}",
        first_day=local.date(),
        last_day=local.date() + timedelta(days=DAYS),
    )
    waiting = Draft(**words["waiting"], sms_text="", theme=Theme.SAFETY, audience=Audience((home,), sms=True))
    draft = Draft(**words["draft"], sms_text="", theme=Theme.NOTICE, audience=Audience(()))
    _keep(runtime, clerk, draft)
    _submit(runtime, clerk, waiting, None)
    _submit(runtime, clerk, programme, approver)


def _keep(runtime: Runtime, clerk: Actor, draft: Draft) -> None:
    with runtime.sessions.begin() as session:
        announcements.create(session, clerk, draft, now=runtime.now())


def _submit(runtime: Runtime, clerk: Actor, draft: Draft, approver: Actor | None) -> None:
    try:
        spoken: Spoken = as_spoken(record(runtime.get(Studio), draft, hurried=True))
    except SpeechFailed:
        return
    rules, now = runtime.get(Rules), runtime.now()
    with runtime.sessions.begin() as session:
        announcement = announcements.create(session, clerk, draft, now=now)
        announcements.submit(session, clerk, announcement.id, spoken, rules=rules, now=now)
        if approver is not None:
            timetable = runtime.get(Timetable)
            announcements.approve(session, approver, announcement.id, rules=rules, timetable=timetable, now=now)


def _person(session: Session, login: str) -> Actor:
    account = session.scalars(select(Account).where(Account.login == login)).one()
    return actor_for(session, account, origin="demo")
