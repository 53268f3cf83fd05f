"""Something that waits for a verdict in every place, so that the matrix of permissions can try each verb on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid4

from builders import a_draft
from campaignlab import a_campaign
from conftest import NOON
from sqlalchemy.orm import Session

from broadcasts.afterwards import service as afterwards
from broadcasts.alerts.hazards import hazards
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.plans.models import PlanVersion
from broadcasts.alerts.plans.service import PlanDraft
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.plans.words import PlanWords
from broadcasts.announcements import review
from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.kinds import Colour, Mode
from broadcasts.loudspeaker.orders import Sound
from broadcasts.materials import service as materials
from broadcasts.materials.drafting import MaterialDraft
from broadcasts.materials.models import Material
from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents.phones import PhoneSafe
from schedules.campaigns import service as campaigns
from schedules.campaigns.models import Campaign
from schedules.campaigns.outlook import Desk
from schedules.models import Sheet, SlotKind
from schedules.playing import usual
from schedules.sheets import service as sheets
from schedules.sheets.drafting import Head, SlotDraft
from schedules.timetable import doors

P = Permission
TODAY = date(2026, 11, 23)
SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was handed in for a place by `author`, and what runs or holds there."""

    author: Actor
    announcement: UUID
    material: UUID
    sheet: UUID
    campaign: UUID
    running: UUID
    plan: UUID
    plan_held: UUID
    plan_begun: UUID
    alert: UUID


class Ground:
    """A county, another one beside it, and something to do in every place."""

    def __init__(self, runtime: Runtime, codes: list[str]) -> None:
        self.runtime = runtime
        self.rules: Rules = rules_of(runtime)
        self.timetable = doors(runtime.zone)
        self.safe = PhoneSafe(runtime.secrets)
        self.desk = Desk(self.rules, self.timetable)
        with runtime.sessions.begin() as session:
            self.at = {
                code: self._prepare(session, code, TODAY + timedelta(days=number))
                for number, code in enumerate(codes, 1)
            }

    def _prepare(self, session: Session, code: str, day: date) -> Waiting:
        author, first, second = (
            _somebody(session, f"{name}{code}", role, code)
            for name, role in (("author", Role.CLERK), ("first", Role.APPROVER), ("second", Role.APPROVER))
        )
        running = self._campaign(session, author, code, day + timedelta(days=9))
        seen = session.get_one(Campaign, running).content_hash
        campaigns.approve(session, first, running, seen_hash=seen, desk=self.desk, now=NOON)
        held, begun = (_plan(session, author, code, hazard, [first, second]) for hazard in ("landslide", "rainstorm"))
        plans.write(session, author, PlanDraft(code, "rainstorm", Colour.RED, _words("rainstorm")), now=NOON)
        return Waiting(
            author=author,
            announcement=self._announcement(session, author, code),
            material=_material(session, author, code),
            sheet=self._sheet(session, author, code),
            campaign=self._campaign(session, author, code, day),
            running=running,
            plan=_plan(session, author, code, "cold", []),
            plan_held=held,
            plan_begun=begun,
            alert=_fired(session, code),
        )

    def _announcement(self, session: Session, author: Actor, code: str) -> UUID:
        draft = a_draft(audience=Audience((code,)), when=When.ONCE, at=NOON + timedelta(hours=6))
        notice = announcements.create(session, author, draft, now=NOON)
        return announcements.submit(session, author, notice.id, SPOKEN, rules=self.rules, now=NOON).id

    def _sheet(self, session: Session, author: Actor, code: str) -> UUID:
        sheet = sheets.begin(session, author, Head("日常节目", code), today=TODAY, now=NOON)
        slot = SlotDraft("中央台新闻", SlotKind.RELAY, "06:30", minutes=30, relay_url="https://radio.example/live.mp3")
        sheets.put_slot(session, author, sheet.id, None, slot, sources=usual(), rules=self.rules, now=NOON)
        return sheets.submit(session, author, sheet.id, sources=usual(), rules=self.rules, now=NOON).id

    def _campaign(self, session: Session, author: Actor, code: str, day: date) -> UUID:
        draft = a_campaign(audience=Audience((code,)), first_day=day, last_day=day, target=1)
        made = campaigns.create(session, author, draft, now=NOON)
        spoken = {text.id: SPOKEN for text in made.texts}
        return campaigns.submit(session, author, made.id, spoken, desk=self.desk, now=NOON).id


def _somebody(session: Session, login: str, role: Role, code: str) -> Actor:
    made = accounts.create_account(
        session, SYSTEM, login=login, name=login[:6], password="", grants=[(role, path_of(code))], now=NOON
    )
    return actor_for(session, made, origin="test")


def _words(hazard: str) -> PlanWords:
    return usual_words(hazards()[hazard], Colour.RED)


def _plan(session: Session, author: Actor, code: str, hazard: str, signers: list[Actor]) -> UUID:
    key = plans.write(session, author, PlanDraft(code, hazard, Colour.RED, _words(hazard)), now=NOON).plan_id
    version = plans.hand_in(session, author, key, signature="村响", now=NOON)
    for one in signers:
        plans.sign(session, one, key, version.content_hash, now=NOON)
    return key


def _material(session: Session, author: Actor, code: str) -> UUID:
    draft = MaterialDraft("防火", text="上坟不烧纸。", source="镇里", home=code)
    found = materials.create(session, author, draft, now=NOON)
    return materials.submit(session, author, found.id, today=TODAY, now=NOON).id


def _fired(session: Session, code: str) -> UUID:
    alert = Alert(
        form_key=f"f{code}", hazard="flood", colour=Colour.RED, title="山洪", text="快撤。", sms_text="",
        audience={"regions": [code]}, home_path=path_of(code), speakers_confirmed=1, state=AlertState.FIRED,
        armed_at=NOON, fires_at=NOON, fired_at=NOON, expires_at=NOON + timedelta(hours=1), armed_by=uuid4(),
        armed_by_name="值班员", broadcast_id=uuid4(), mode=Mode.LIVE,
    )  # fmt: skip
    session.add(alert)
    session.flush()
    return alert.id


Verb = Callable[[Ground, Session, Actor, str], object]


def approve(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    key = ground.at[code].announcement
    return announcements.approve(session, actor, key, rules=ground.rules, timetable=ground.timetable, now=NOON)


def give_back(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return announcements.give_back(session, actor, ground.at[code].announcement, "再写清楚", now=NOON)


def reject(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return review.reject(session, actor, ground.at[code].announcement, "不播", now=NOON)


def approve_material(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    key = ground.at[code].material
    seen = session.get_one(Material, key).content_hash
    return materials.approve(session, actor, key, seen_hash=seen, today=TODAY, now=NOON)


def return_material(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return materials.give_back(session, actor, ground.at[code].material, "换一篇", now=NOON)


def approve_sheet(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    key = ground.at[code].sheet
    return sheets.approve(session, actor, key, seen_hash=session.get_one(Sheet, key).content_hash, now=NOON)


def return_sheet(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return sheets.give_back(session, actor, ground.at[code].sheet, "太早", now=NOON)


def approve_campaign(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    key = ground.at[code].campaign
    seen = session.get_one(Campaign, key).content_hash
    return campaigns.approve(session, actor, key, seen_hash=seen, desk=ground.desk, now=NOON)


def return_campaign(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return campaigns.give_back(session, actor, ground.at[code].campaign, "太多", now=NOON)


def pause_campaign(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return campaigns.pause(session, actor, ground.at[code].running, desk=ground.desk, now=NOON)


def stop_campaign(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return campaigns.stop(session, actor, ground.at[code].running, desk=ground.desk, now=NOON)


def write_plan(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return plans.write(session, actor, PlanDraft(code, "forest_fire", Colour.RED, _words("forest_fire")), now=NOON)


def hand_in_plan(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return plans.hand_in(session, actor, ground.at[code].plan_begun, signature="村响", now=NOON)


def sign_plan(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    key = ground.at[code].plan
    version = session.get_one(PlanVersion, (key, 1))
    return plans.sign(session, actor, key, version.content_hash, now=NOON)


def return_plan(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return plans.send_back(session, actor, ground.at[code].plan, "写短些", now=NOON)


def withdraw_plan(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return plans.withdraw(session, actor, ground.at[code].plan_held, "堤修好了", now=NOON)


def drop_plan(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return plans.drop_changes(session, actor, ground.at[code].plan_begun, now=NOON)


def review_afterwards(ground: Ground, session: Session, actor: Actor, code: str) -> object:
    return afterwards.review(session, actor, ground.at[code].alert, proper=True, note="", now=NOON)


REVIEWS: Mapping[str, tuple[frozenset[Permission], Verb]] = {
    "return": (frozenset({P.APPROVE}), give_back),
    "reject": (frozenset({P.APPROVE}), reject),
    "approve a material": (frozenset({P.APPROVE}), approve_material),
    "return a material": (frozenset({P.APPROVE}), return_material),
    "approve a sheet": (frozenset({P.APPROVE}), approve_sheet),
    "return a sheet": (frozenset({P.APPROVE}), return_sheet),
    "approve a campaign": (frozenset({P.APPROVE}), approve_campaign),
    "return a campaign": (frozenset({P.APPROVE}), return_campaign),
    "pause a campaign": (frozenset({P.STOP}), pause_campaign),
    "stop a campaign": (frozenset({P.STOP}), stop_campaign),
    "write a plan": (frozenset({P.COMPOSE}), write_plan),
    "hand in a plan": (frozenset({P.COMPOSE}), hand_in_plan),
    "sign a plan": (frozenset({P.APPROVE}), sign_plan),
    "return a plan": (frozenset({P.APPROVE}), return_plan),
    "withdraw a plan": (frozenset({P.COMPOSE, P.APPROVE}), withdraw_plan),
    "drop a plan's changes": (frozenset({P.COMPOSE}), drop_plan),
    "review an emergency afterwards": (frozenset({P.APPROVE}), review_afterwards),
}
"""Every verdict, and what stops or replaces something agreed; each with the permissions of which one is enough."""
