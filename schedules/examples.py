"""What lies on the desk of the demo: a programme every day, a sheet, campaigns, some things waiting for a verdict."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import When
from broadcasts.announcements.sounding import as_spoken, record
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Theme
from broadcasts.speech.engine import SpeechFailed
from broadcasts.studio import Studio
from broadcasts.texts import shelf
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import Runtime
from hub.regions.tree import codes_in
from schedules.calendar import Pattern, Rhythm
from schedules.campaigns import handing_in
from schedules.campaigns import service as campaigns
from schedules.campaigns.drafting import CampaignDraft
from schedules.campaigns.forms import ready
from schedules.campaigns.models import Campaign
from schedules.campaigns.outlook import Desk
from schedules.models import SlotKind
from schedules.occasions import service as occasions
from schedules.rounds import forms
from schedules.rounds import service as rounds
from schedules.rounds.models import RoundKind
from schedules.rounds.service import RoundDraft
from schedules.sheets import service as sheets
from schedules.sheets.drafting import Head, SlotDraft
from schedules.sources import Sources

FILE = Path(__file__).resolve().parents[1] / "templates" / "messages" / "routine" / "examples.toml"
HOURS_AHEAD = 2
DAYS = 30
PATROL = 8


def seed(runtime: Runtime) -> None:
    """Write them as the township's clerk; without a voice only drafts are made."""
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
    _office(runtime, clerk, approver, home)
    _submit(runtime, clerk, waiting, None)
    _submit(runtime, clerk, programme, approver)
    try:
        running = _campaign(runtime, clerk, approver, home, words["campaign"])
        waits = _campaign(runtime, clerk, None, home, words["campaign_waiting"])
    except SpeechFailed:
        return  # a sheet would have nothing to hold either
    _sheet(runtime, clerk, approver, home, running, (programme.daily_at, *running.times, *waits.times))


def _campaign(runtime: Runtime, clerk: Actor, approver: Actor | None, home: str, said: dict[str, Any]) -> Campaign:
    """Have a campaign of a month handed in, and run if somebody agrees to it."""
    rules, now = runtime.get(Rules), runtime.now()
    local = now.astimezone(runtime.zone)
    desk = Desk(rules, runtime.get(Timetable))
    draft = CampaignDraft(
        title=said["title"],
        theme=Theme(said["theme"]),
        departments=tuple(said["departments"]),
        audience=Audience((home,)),
        first_day=local.date(),
        last_day=local.date() + timedelta(days=DAYS),
        times=times_after(local, said["hours_ahead"]),
        most_a_day=said["most_a_day"],
        target=said["target"],
        texts=tuple(ready(text) for key in said["texts"] if (text := shelf.find(key))),
    )
    with runtime.sessions.begin() as session:
        campaign_id = campaigns.create(session, clerk, draft, now=now).id
    handed_in = handing_in.hand_in(runtime, clerk, campaign_id, desk=desk, now=now, hurried=True)
    if approver is not None:
        with runtime.sessions.begin() as session:
            campaigns.approve(session, approver, campaign_id, seen_hash=handed_in.content_hash, desk=desk, now=now)
    return handed_in


def times_after(local: datetime, hours: Sequence[int]) -> tuple[str, ...]:
    """Return local times so many hours after a moment, at half past."""
    return tuple(sorted(f"{(local + timedelta(hours=n)).replace(minute=30):%H:%M}" for n in hours))


def slots_outside(quiet: QuietHours, busy: Sequence[str]) -> list[SlotDraft]:
    """Return the slots of the demo's day that do not lie in its quiet hours; a silence spares what sounds already."""
    found = []
    for said in tomllib.loads(FILE.read_text(encoding="utf-8"))["sheet"]["slots"]:
        kind, at, minutes = SlotKind(said["kind"]), said["at"], said.get("minutes", 0)
        begin = _minute(at)
        if quiet.holds_minute(begin) or any(begin <= _minute(time) < begin + minutes for time in busy):
            continue
        pattern = Pattern(Rhythm(said.get("rhythm", Rhythm.DAILY)), weekdays=frozenset(said.get("weekdays", ())))
        found.append(SlotDraft(said.get("title", ""), kind, at, minutes=minutes, pattern=pattern))
    return found


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _sheet(runtime: Runtime, clerk: Actor, approver: Actor, home: str, campaign: Campaign, busy: Sequence[str]) -> None:
    """Have the township's day on a sheet: the campaign's next text, and quiet while people rest."""
    title = tomllib.loads(FILE.read_text(encoding="utf-8"))["sheet"]["title"]
    rules, sources, now = runtime.get(Rules), runtime.get(Sources), runtime.now()
    today = now.astimezone(runtime.zone).date()
    with runtime.sessions.begin() as session:
        sheet = sheets.begin(session, clerk, Head(title, home), today=today, now=now)
        for slot in slots_outside(rules.quiet, busy):
            held = replace(slot, subject_id=campaign.id) if slot.kind is SlotKind.CAMPAIGN else slot
            sheets.put_slot(session, clerk, sheet.id, None, held, sources=sources, rules=rules, now=now)
        sheets.submit(session, clerk, sheet.id, sources=sources, rules=rules, now=now)
        sheets.approve(session, approver, sheet.id, seen_hash=sheet.content_hash, now=now)


def _office(runtime: Runtime, clerk: Actor, approver: Actor, home: str) -> None:
    """Have drafts made ahead of awareness days, and volunteers take turns on patrol."""
    rules, now = runtime.get(Rules), runtime.now()
    first = now.astimezone(runtime.zone).date() + timedelta(days=1)
    words = tomllib.loads(FILE.read_text(encoding="utf-8"))["patrol"]
    with runtime.sessions.begin() as session:
        occasions.keep_drafts(session, clerk, on=True, now=now)
        people = rounds.candidates(session, clerk, home, words["group"])[:PATROL]
        if people:
            roster = RoundDraft(
                title=words["title"],
                region=home,
                first_day=first,
                last_day=first + timedelta(days=DAYS),
                people=tuple(person.id for person in people),
                words=forms.usual(RoundKind.PATROL)["words"],
                at=forms.usual(RoundKind.PATROL)["at"],
            )
            made = rounds.create(session, clerk, roster, rules=rules, now=now)
            rounds.approve(session, approver, made.id, seen_hash=made.content_hash, now=now)
    occasions.prepare(runtime.sessions, now=now, quiet=rules.quiet)


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
