"""Single loudspeakers in an audience: checked against what hangs there, and listed to be ticked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.loudspeaker.targets import Meant, below, count
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.models import Speaker, SpeakerState

MOST_LISTED = 200
VILLAGE_DEPTH = 3
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Horn:
    """One loudspeaker to tick."""

    id: str
    name: str
    online: bool
    checked: bool


@dataclass(frozen=True, slots=True)
class VillageHorns:
    """A chosen village and its loudspeakers."""

    code: str
    name: str
    horns: tuple[Horn, ...]

    @property
    def unticked(self) -> int:
        """How many of them are left out."""
        return sum(not horn.checked for horn in self.horns)


@dataclass(frozen=True, slots=True)
class Choosable:
    """What can be ticked one by one; nothing is listed when there are too many."""

    villages: tuple[VillageHorns, ...]
    total: int

    @property
    def too_many(self) -> bool:
        """Whether there are more than the page lists."""
        return self.total > MOST_LISTED

    @property
    def ids(self) -> tuple[str, ...]:
        """Everything that is listed."""
        return tuple(horn.id for village in self.villages for horn in village.horns)

    @property
    def unticked(self) -> int:
        """How many are left out."""
        return sum(village.unticked for village in self.villages)


def settle(session: Session, actor: Actor, audience: Audience) -> Audience:
    """Return the audience as it can be kept; BadInput for a chosen loudspeaker that is not theirs, or not there.

    Chosen loudspeakers alone are enough: the regions are then their villages. An exception that no longer hangs there
    is forgotten.
    """
    if not audience.speakers:
        return replace(audience, only=(), without=())
    if not (audience.only or audience.without):
        return audience
    only = _paths_of(session, audience.only)
    if audience.only and not audience.regions:
        villages = {codes_in(path)[:VILLAGE_DEPTH][-1] for path in only.values()}
        audience = replace(audience, regions=tuple(sorted(villages)))
    for speaker_id in audience.only:
        path = only.get(speaker_id, "")
        if not (path and actor.may(Permission.COMPOSE, path) and path.startswith(audience.paths)):
            raise BadInput("speaker_not_there", field="only", speaker=speaker_id)
    there = _paths_of(session, audience.without)
    without = tuple(speaker_id for speaker_id, path in there.items() if path.startswith(audience.paths))
    return replace(audience, without=without).sorted


def _paths_of(session: Session, speaker_ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(speaker_ids), AT_ONCE):
        query = select(Speaker.id, Speaker.region_path).where(
            Speaker.id.in_(speaker_ids[start : start + AT_ONCE]), Speaker.state == SpeakerState.ACTIVE
        )
        found |= {row.id: row.region_path for row in session.execute(query)}
    return found


def choosable(session: Session, audience: Audience) -> Choosable:
    """Return the loudspeakers of the chosen regions, by village, those left out unticked. Asks for no permission."""
    paths = audience.paths
    total = count(session, Meant(paths)) if audience.speakers else 0
    if not 0 < total <= MOST_LISTED:
        return Choosable((), total)
    rows = session.execute(
        select(Speaker.id, Speaker.name, Speaker.online, Speaker.region_path)
        .where(below(paths))
        .order_by(Speaker.region_path, Speaker.id)
    )
    villages: dict[str, list[Horn]] = {}
    for row in rows:
        code = codes_in(row.region_path)[:VILLAGE_DEPTH][-1]
        horn = Horn(row.id, row.name, row.online, _ticked(row.id, audience.only, audience.without))
        villages.setdefault(code, []).append(horn)
    names = regions.names(session, set(villages))
    found = (VillageHorns(code, names.get(code, code), tuple(horns)) for code, horns in villages.items())
    return Choosable(tuple(found), total)


def _ticked(speaker_id: str, only: Collection[str], without: Collection[str]) -> bool:
    return speaker_id not in without and (not only or speaker_id in only)
