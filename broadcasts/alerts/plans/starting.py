"""Plans to start with: the words that come with the hub, for every hazard and colour of a place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import Hazard, hazards
from broadcasts.alerts.plans import service
from broadcasts.alerts.plans.models import Plan, PlanVersion
from broadcasts.alerts.plans.service import PlanDraft
from broadcasts.alerts.plans.words import PlanWords, with_endings
from broadcasts.kinds import Colour
from hub.core.actor import Actor
from hub.regions.tree import path_of


def usual_words(kind: Hazard, colour: Colour) -> PlanWords:
    """Return the hub's own words for a hazard and colour."""
    return with_endings(kind.words[colour], kind.name)


def missing(session: Session, home: str) -> list[tuple[Hazard, Colour]]:
    """Return the hazards and colours a place has no plan for yet."""
    rows = session.execute(select(Plan.hazard, Plan.colour).where(Plan.region_code == home)).all()
    known = {(row.hazard, row.colour) for row in rows}
    return [(kind, colour) for kind in hazards().values() for colour in Colour if (kind.key, colour) not in known]


def begin(session: Session, actor: Actor, home: str, *, signature: str, now: datetime) -> list[PlanVersion]:
    """Write and hand in a plan for everything that has none, in the hub's own words, to be read and signed."""
    begun = []
    for kind, colour in missing(session, home):
        draft = PlanDraft(home, kind.key, colour, usual_words(kind, colour))
        version = service.write(session, actor, draft, now=now)
        begun.append(service.hand_in(session, actor, version.plan_id, signature=signature, now=now))
    return begun


def sign_all(session: Session, home: str, signers: Sequence[Actor], *, now: datetime) -> int:
    """Let people sign whatever waits in a place: for the demo, whose people are invented. Return how many plans."""
    rows = session.execute(
        select(Plan, PlanVersion)
        .join(PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version))
        .where(Plan.home_path == path_of(home))
    ).all()
    for plan, version in rows:
        for signer in signers:
            service.sign(session, signer, plan.id, version.content_hash, now=now)
    return len(rows)
