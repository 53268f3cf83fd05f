"""Put the rows of a list of places into the tree, in one go; a township comes before its villages."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.errors import WrongState
from hub.regions import service
from hub.regions.importing import Ground, Names, RegionPlan, upwards


@dataclass(frozen=True, slots=True)
class Added:
    """What an import did."""

    added: int
    same: int
    skipped: int


def ground_for(session: Session, actor: Actor) -> Ground:
    """Return what an import is checked against."""
    return Ground.of(service.forest(session, actor, Permission.EDIT_REGIONS))


def import_rows(session: Session, actor: Actor, plan: RegionPlan, *, now: datetime) -> Added:
    """Add every place of the plan that is not there; codes nobody gave are the next free ones."""
    ground = ground_for(session, actor)
    codes = dict(ground.codes)
    wanted = _wanted(plan)
    added = 0
    for row in sorted(plan.good, key=lambda row: (len(row.names), row.number)):
        if row.names in codes:
            continue
        above = codes[row.names[:-1]] if len(row.names) > 1 else ground.county
        code = wanted.get(row.names) or _free(session, above, wanted)
        service.add_below(session, actor, above, code=code, name=row.names[-1], now=now)
        codes[row.names] = code
        added += 1
    return Added(added, plan.same, plan.faulty_rows)


def _wanted(plan: RegionPlan) -> dict[Names, str]:
    """Return the codes the file gives, those of a township that only its villages' codes tell among them."""
    found: dict[Names, str] = {}
    for row in plan.good:
        for names, code in upwards(row.names, row.code):
            found.setdefault(names, code)
    return found


def _free(session: Session, above: str, wanted: dict[Names, str]) -> str:
    """Return the next free code below a region that no other row asks for."""
    code = service.next_code(session, above)
    taken = set(wanted.values())
    while code in taken:
        code = service.following(code)
    if not code:
        raise WrongState("region_codes_used_up", above=above)
    return code
