"""What tests of rosters share: a village with three volunteers."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from builders import BRIDGE, NORTH, the_actor
from conftest import SetClock
from sqlalchemy import select

from broadcasts.delivery.rules import Rules
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.reports import Inbound
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from schedules.rounds import reminding, service
from schedules.rounds.models import Round, RoundCall
from schedules.rounds.service import RoundDraft

PEOPLE = {"甲": "13800000001", "乙": "13800000002", "丙": "13800000003"}


def a_village(runtime: Runtime) -> None:
    """Let the village have three volunteers."""
    with runtime.sessions.begin() as session:
        for name, number in PEOPLE.items():
            given = ResidentInput(name=name, region_code=BRIDGE, phones=(number,), tags=("志愿者",))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=runtime.now())


@dataclass
class Post:
    """A village with three volunteers, and everything that is done with their roster."""

    runtime: Runtime
    clock: SetClock

    def people(self, region: str = BRIDGE) -> dict[str, UUID]:
        with self.runtime.sessions.read() as session:
            clerk = the_actor(session, "clerk")
            return {p.name: p.id for p in service.candidates(session, clerk, region, "志愿者")}

    def draft(self, **given: object) -> RoundDraft:
        draft = RoundDraft(
            title="十二月义务巡逻",
            region=NORTH,
            words="〔日期〕晚上轮到你巡逻，7:30到村委会门口集合。到了请回复：到岗",
            at="17:00",
            first_day=date(2026, 11, 24),
            last_day=date(2026, 11, 27),
            each=2,
            people=tuple(self.people().values()),
        )
        return replace(draft, **given)  # type: ignore[arg-type]

    def write(self, login: str = "clerk", **given: object) -> UUID:
        made = self.draft(**given)
        with self.runtime.sessions.begin() as session:
            rules = self.runtime.get(Rules)
            return service.create(session, the_actor(session, login), made, rules=rules, now=self.clock.now).id

    def run(self, **given: object) -> UUID:
        round_id = self.write(**given)  # type: ignore[arg-type]
        with self.runtime.sessions.begin() as session:
            seen = session.get_one(Round, round_id).content_hash
            service.approve(session, the_actor(session, "approver"), round_id, seen_hash=seen, now=self.clock.now)
        return round_id

    def remind(self) -> int:
        with self.runtime.sessions.begin() as session:
            return reminding.remind_due(session, rules=self.runtime.get(Rules), now=self.clock.now)

    def reply(self, name: str, text: str, ref: str) -> SmsInbound:
        with self.runtime.sessions.begin() as session:
            said = [Inbound(PEOPLE.get(name, "13911112222"), text, ref, self.clock.now)]
            return inbound.receive(session, self.runtime.get(PhoneSafe), "lab", said, now=self.clock.now)[0]

    def turns(self, round_id: UUID) -> list[tuple[int, str, str]]:
        with self.runtime.sessions.read() as session:
            calls = session.get_one(Round, round_id).calls
            return sorted((c.day.day, c.name, c.state.value) for c in calls)

    def call(self, day: int, name: str) -> UUID:
        with self.runtime.sessions.read() as session:
            rows = session.scalars(select(RoundCall).where(RoundCall.name == name)).all()
            return next(c.id for c in rows if c.day.day == day)
