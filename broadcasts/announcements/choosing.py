"""What can be chosen on the compose page: the region tree with its counts, and the groups of residents."""

from collections import Counter as Tally
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.speech.pronunciation import syllables_of
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions import service as regions
from hub.regions.service import Node
from hub.regions.tree import Level
from hub.residents import searching as residents
from hub.residents.models import Resident
from hub.speakers import registry
from hub.speakers.registry import Count
from hub.speakers.ticking import NONE


@dataclass(frozen=True, slots=True)
class Branch:
    """A region in the tree of the compose page, counts including everything below it."""

    code: str
    name: str
    level: Level
    speakers: int
    offline: int
    residents: int
    checked: bool
    open: bool
    search: str
    """More words to find it by: 竹影村 also as zyc and zhuyingcun."""
    children: tuple["Branch", ...]

    @property
    def touched(self) -> bool:
        """Whether it or anything below it is chosen."""
        return self.checked or any(child.touched for child in self.children)


def tree(session: Session, actor: Actor, chosen: Collection[str]) -> tuple[Branch, ...]:
    """Return the regions the actor may write for."""
    forest = regions.forest(session, actor, Permission.COMPOSE)
    speakers = registry.count_by_region(session, actor, Permission.COMPOSE)
    people = _residents(session, actor.paths(Permission.COMPOSE))
    return tuple(_branch(node, chosen, speakers, people) for node in forest)


def only_village(session: Session, actor: Actor) -> tuple[str, ...]:
    """Return the one village of somebody who has no other, so that they need not tick it."""
    forest = regions.forest(session, actor, Permission.COMPOSE)
    single = len(forest) == 1 and forest[0].level in (Level.VILLAGE, Level.GROUP)
    return (forest[0].code,) if single else ()


def groups(session: Session, actor: Actor, chosen: Collection[str]) -> list[str]:
    """Return the groups of residents that text messages can be narrowed to."""
    known = residents.tags_in_use(session, actor)
    return known + [tag for tag in dict.fromkeys(chosen) if tag not in known]


def _branch(node: Node, chosen: Collection[str], speakers: dict[str, Count], people: Tally[str]) -> Branch:
    children = tuple(_branch(child, chosen, speakers, people) for child in node.children)
    count = speakers.get(node.code, NONE)
    return Branch(
        code=node.code,
        name=node.name,
        level=node.level,
        speakers=count.total,
        offline=count.offline,
        residents=people[node.code],
        checked=node.code in chosen,
        open=any(child.touched for child in children),
        search=_sounds_like(node.name),
        children=children,
    )


def _residents(session: Session, paths: tuple[str, ...]) -> Tally[str]:
    total: Tally[str] = Tally()
    if not paths:
        return total
    rows = session.execute(
        select(Resident.region_path, func.count())
        .where(or_(*(Resident.region_path.like(like_below(path)) for path in paths)))
        .group_by(Resident.region_path)
    )
    for path, number in rows:
        for code in path.strip("/").split("/"):
            total[code] += number
    return total


@lru_cache(maxsize=20_000)
def _sounds_like(name: str) -> str:
    bare = [syllable.rstrip("12345") for syllable in syllables_of(name) if syllable]
    return f"{''.join(s[0] for s in bare)} {''.join(bare)}"
