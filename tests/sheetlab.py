"""Programme sheets for tests: written by the north's clerk, agreed to by its approver."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from builders import NORTH, an_announcement, the_actor
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.loudspeaker.orders import Sound
from broadcasts.materials import service as materials
from broadcasts.materials.drafting import MaterialDraft
from broadcasts.uploads.workshop import Manner
from hub.core.runtime import Runtime
from schedules import booking, timetable
from schedules.calendar import Pattern, Rhythm
from schedules.firing import Firing
from schedules.models import Occurrence, OccurrenceState, SlotKind
from schedules.noise import Limits
from schedules.playing import usual
from schedules.rehearsal import Stage
from schedules.sheets import service
from schedules.sheets.drafting import Head, SlotDraft

TODAY = date(2026, 11, 23)
SONG = "5a" * 32


def a_recording(session: Session, *, ms: int = 180_000, title: str = "村歌", sha256: str = SONG) -> UUID:
    """A recording that was agreed to, without its file."""
    clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
    draft = MaterialDraft(title, source="文化站", home=NORTH)
    found = materials.bring(
        session, clerk, draft, manner=Manner.MUSIC, sha256=sha256, ms=ms, size=1000, peaks=(), now=NOON
    )
    materials.submit(session, clerk, found.id, today=TODAY, now=NOON)
    seen = found.content_hash
    materials.approve(session, approver, found.id, seen_hash=seen, today=TODAY, now=NOON)
    return found.id


RELAY = SlotDraft("中央台新闻", SlotKind.RELAY, "06:30", minutes=30, relay_url="https://radio.example/live.mp3")


class Desk:
    """Writes sheets and lets the clock fire them."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.rules, self.sources = runtime, rules_of(runtime), usual()
        self.stage = Stage(self.rules, self.sources, Limits(60, 300))

    def draft(self, *slots: SlotDraft, region: str = NORTH, now: datetime = NOON, **head: date) -> UUID:
        with self.runtime.sessions.begin() as session:
            clerk = the_actor(session, "clerk")
            sheet = service.begin(session, clerk, Head("日常节目", region, **head), today=TODAY, now=now)
            for slot in slots:
                service.put_slot(session, clerk, sheet.id, None, slot, sources=self.sources, rules=self.rules, now=now)
            return sheet.id

    def submit(self, sheet_id: UUID, *, now: datetime = NOON) -> None:
        with self.runtime.sessions.begin() as session:
            clerk = the_actor(session, "clerk")
            service.submit(session, clerk, sheet_id, sources=self.sources, rules=self.rules, now=now)

    def approve(self, sheet_id: UUID, *, now: datetime = NOON) -> None:
        with self.runtime.sessions.begin() as session:
            approver = the_actor(session, "approver")
            seen = service.get(session, approver, sheet_id).content_hash
            service.approve(session, approver, sheet_id, seen_hash=seen, now=now)

    def run(self, *slots: SlotDraft, region: str = NORTH, now: datetime = NOON, **head: date) -> UUID:
        sheet_id = self.draft(*slots, region=region, now=now, **head)
        self.submit(sheet_id, now=now)
        self.approve(sheet_id, now=now)
        return sheet_id

    def renew(self, sheet_id: UUID, *, now: datetime) -> UUID:
        with self.runtime.sessions.begin() as session:
            return service.next_version(session, the_actor(session, "clerk"), sheet_id, now=now).id

    def recording(self, **given: object) -> SlotDraft:
        with self.runtime.sessions.begin() as session:
            found = a_recording(session)
        slot = SlotDraft("", SlotKind.RECORDING, "18:00", subject_id=found)
        return replace(slot, **given)  # type: ignore[arg-type]

    def plan(self, now: datetime) -> None:
        with self.runtime.sessions.begin() as session:
            booking.plan_ahead(session, now=now)

    def fire(self, now: datetime, ahead: int = 0) -> int:
        return Firing(self.runtime.sessions, self.rules, timedelta(seconds=ahead), self.sources).fire_due(now=now)

    def found(self) -> list[tuple[datetime, OccurrenceState, str]]:
        with self.runtime.sessions.read() as session:
            rows = session.scalars(select(Occurrence).order_by(Occurrence.due_at, Occurrence.id))
            return [(o.due_at, o.state, o.note) for o in rows]

    def broadcasts(self) -> list[Broadcast]:
        with self.runtime.sessions.read() as session:
            return list(session.scalars(select(Broadcast).order_by(Broadcast.starts_at)))


def on(*weekdays: int) -> Pattern:
    """Return a pattern of weekdays."""
    return Pattern(Rhythm.WEEKDAYS, weekdays=frozenset(weekdays))


def an_approved(runtime: Runtime, rules: Rules, **given: object) -> Announcement:
    """An announcement for one village at a time of its own, agreed to."""
    spoken = Spoken(Sound("ab" * 32, 120_000, 1000), engine="tone", spoken="")
    with runtime.sessions.begin() as session:
        clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
        notice = an_announcement(session, clerk, now=NOON, **given)
        announcements.submit(session, clerk, notice.id, spoken, rules=rules, now=NOON)
        doors = timetable.doors(rules.zone)
        announcements.approve(session, approver, notice.id, rules=rules, timetable=doors, now=NOON)
    return notice
