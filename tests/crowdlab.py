"""A county of long names and a crowded week: two hundred rows, clashes, hits of quiet hours; plans with much to say."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from builders import BRIDGE, NORTH, the_actor
from conftest import NOON
from sheetlab import RELAY, Desk
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.plans.models import Plan, PlanVersion
from broadcasts.alerts.plans.service import PlanDraft
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.models import Region
from hub.regions.tree import path_of
from schedules.sheets.drafting import LONGEST_MINUTES, TITLE_LENGTH, SlotDraft

A_DAY = 30
"""So many items a day are more than two hundred a week."""
VILLAGES = 20
LONG_PLACE = "一个名字长得写不完的村庄"
LONG_WORD = "Maximilianstrassenfestkomitee"
"""Nothing in it where a line could end."""
LONG_TITLE = "关于做好今年秋冬季节森林防火和用火用电安全检查工作的通知"
VERSIONS = 4
LATEST = select(Plan, PlanVersion).join(
    PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version)
)


def crowd(runtime: Runtime) -> None:
    """Fill it. Quiet hours may not be set yet: some of what is agreed to here lies in them later."""
    with runtime.sessions.begin() as session:
        _lengthen(session)
        _plans(session)
    _week(runtime)


def plan_pages(session: Session) -> list[str]:
    """Return the pages of some plans: the one with the longest story, and one of each state there is."""
    shown: dict[object, UUID] = {}
    for plan, version in session.execute(LATEST):
        shown.setdefault((version.state, plan.version > 1), plan.id)
    return [f"/plans/{plan_id}" for plan_id in shown.values()]


def _lengthen(session: Session) -> None:
    for number, region in enumerate(session.scalars(select(Region).order_by(Region.code)).all()):
        region.name = (LONG_WORD if number % 2 else LONG_PLACE) + region.name
    for n in range(VILLAGES):
        code = f"{NORTH[:9]}{n + 10:03}"
        regions.add_region(session, SYSTEM, code=code, name=f"{LONG_PLACE}{n}", now=NOON, position=n)


def _plans(session: Session) -> None:
    """Two plans with the longest words there may be: one signed again and again, one still waiting."""
    clerk = the_actor(session, "clerk")
    home = path_of(NORTH)
    area = tuple(session.scalars(select(Region.code).where(Region.path.like(f"{home}%"), Region.code != NORTH)))
    chosen = LATEST.order_by(Plan.hazard, Plan.colour).limit(2)
    for number, (plan, version) in enumerate(session.execute(chosen).all()):
        words = plans.words_of(version)
        for n in range(VERSIONS):
            speech = words.speech + f"第 {n} 次改。" + LONG_TITLE * 6
            draft = PlanDraft(NORTH, plan.hazard, plan.colour, replace(words, speech=speech), area)
            at = NOON + timedelta(minutes=n)
            written = plans.write(session, clerk, draft, now=at)
            if n < VERSIONS - 1 or number:
                plans.hand_in(session, clerk, written.plan_id, signature="村响", now=at)


def _week(runtime: Runtime) -> None:
    """A daily sheet for the township and one for a village of it: clashes, and hours that are quiet later."""
    desk = Desk(runtime)
    for region, count in ((NORTH, A_DAY), (BRIDGE, A_DAY // 3)):
        slots = [_slot(n, 24 * 60 // count) for n in range(count)]
        desk.run(*slots, region=region)
    desk.plan(NOON)


def _slot(n: int, every: int) -> SlotDraft:
    minute = n * every
    title = (LONG_TITLE, LONG_WORD, "短")[n % 3][:TITLE_LENGTH]
    return replace(
        RELAY, title=title, at=f"{minute // 60:02d}:{minute % 60:02d}", minutes=min(every + n % 4 * 5, LONGEST_MINUTES)
    )
