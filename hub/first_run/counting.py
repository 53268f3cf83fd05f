"""What the tables show of the steps that concern this floor."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.first_run.steps import FirstSteps, Step
from hub.regions.models import Region
from hub.regions.tree import Level
from hub.residents.models import Resident
from hub.speakers.care.models import Deed, DeviceCommand
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Reached


def add_steps(steps: FirstSteps) -> None:
    """Add the steps of regions, people, loudspeakers and the test."""
    steps.add(Step("regions", 10, "region_list.desk", _villages, "regions.tree"))
    steps.add(Step("people", 20, "staff.new", _colleagues, "staff.every"))
    steps.add(Step("speakers", 30, "joining.new_codes", _speakers, "ledger.desk_page"))
    steps.add(Step("residents", 40, "residents.imports.choose_file", _residents, "residents.every"))
    steps.add(Step("test", 60, "first_run.test", _tests))


def _villages(session: Session, actor: Actor) -> int:
    return session.scalar(select(func.count()).select_from(Region).where(Region.level == Level.VILLAGE)) or 0


def _colleagues(session: Session, actor: Actor) -> int:
    return session.scalar(select(func.count()).select_from(Account).where(Account.id != actor.id)) or 0


def _speakers(session: Session, actor: Actor) -> int:
    mine = Speaker.state != SpeakerState.RETIRED
    return session.scalar(select(func.count()).select_from(Speaker).where(mine)) or 0


def _residents(session: Session, actor: Actor) -> int:
    return session.scalar(select(func.count()).select_from(Resident)) or 0


def _tests(session: Session, actor: Actor) -> int:
    """Return how many loudspeakers have sounded when asked to: what they said themselves, not that they were asked."""
    sounded = DeviceCommand.deed == Deed.SOUND, DeviceCommand.state == Reached.FINISHED.value
    return session.scalar(select(func.count(DeviceCommand.speaker_id.distinct())).where(*sounded)) or 0
