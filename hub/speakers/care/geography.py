"""The map of loudspeakers: villages as areas, loudspeakers as marks, drawn from what the hub knows itself."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.outlines import Shape, fitted
from hub.regions.service import Node
from hub.regions.tree import Level, codes_in
from hub.speakers import registry
from hub.speakers.care import alarms
from hub.speakers.care.attention import visible
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.registry import Count

WIDTH: Final = 960
HEIGHT: Final = 600
EDGE: Final = 16
MOST_MARKS: Final = 600
"""More marks than this are neither read nor hit by a finger: then the villages' counts say it."""
BAD_SHARE: Final = 0.2
FITS: Final = 0.06
"""Outlines and coordinates belong together when villages lie, on average, this share of the width from where they
should."""
SPREAD: Final = 0.3
"""How far from the middle of its village the farthest of its loudspeakers stands, as a share of its smaller side."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Area:
    """One village: its counts, and its outline if there is one."""

    code: str
    name: str
    count: Count
    faulty: int
    shape: Shape | None

    @property
    def tone(self) -> str:
        """The colour it is drawn in."""
        if not self.count.total:
            return "off"
        if self.count.offline >= max(1, BAD_SHARE * self.count.total):
            return "bad"
        return "warn" if self.count.offline or self.faulty else "ok"


@dataclass(frozen=True, slots=True)
class Mark:
    """One loudspeaker in the picture. `kind`: ok, offline or fault; each has a form of its own."""

    speaker: Speaker
    kind: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything on the map. `unplaced` is how many loudspeakers have no coordinates."""

    areas: tuple[Area, ...]
    marks: tuple[Mark, ...]
    unplaced: int
    too_many: bool

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.marks) or any(area.shape for area in self.areas)


def picture(session: Session, actor: Actor, *, path: str | None, with_marks: bool = True) -> Picture:
    """Return the map of what the actor may see, below `path` if one is given."""
    nodes = [node for top in regions.forest(session, actor) for node in _villages(top, path)]
    shapes = {s.code: s for s in fitted([(n.code, n.outline) for n in nodes], width=WIDTH, height=HEIGHT)}
    counts = registry.count_by_region(session, actor)
    speakers = _speakers(session, actor, path) if with_marks else []
    faulty = _faulty(session, actor, path)
    by_village: defaultdict[str, int] = defaultdict(int)
    for region_path in faulty.values():
        by_village[codes_in(region_path)[:3][-1]] += 1
    areas = tuple(
        Area(n.code, n.name, counts.get(n.code, Count(0, 0)), by_village[n.code], shapes.get(n.code)) for n in nodes
    )
    placed = [s for s in speakers if s.lat is not None and s.lon is not None]
    too_many = len(placed) > MOST_MARKS
    marks = () if too_many else tuple(_marks(placed, shapes, set(faulty)))
    return Picture(areas, marks, len(speakers) - len(placed), too_many)


def _villages(top: Node, path: str | None) -> list[Node]:
    found = [top] if top.level is Level.GROUP else [n for n in top.walk() if n.level is Level.VILLAGE]
    return [node for node in found if path is None or node.path.startswith(path)]


def _speakers(session: Session, actor: Actor, path: str | None) -> list[Speaker]:
    columns = (Speaker.id, Speaker.name, Speaker.lat, Speaker.lon, Speaker.online, Speaker.fault, Speaker.region_path)
    query = select(Speaker).where(Speaker.state == SpeakerState.ACTIVE, visible(actor, path)).order_by(Speaker.id)
    return list(session.scalars(query.options(load_only(*columns))))


def _faulty(session: Session, actor: Actor, path: str | None) -> dict[str, str]:
    rows = session.execute(
        select(Speaker.id, Speaker.region_path)
        .join(SpeakerAlarm, SpeakerAlarm.speaker_id == Speaker.id)
        .where(
            SpeakerAlarm.ended_at.is_(None),
            SpeakerAlarm.raised_at.is_not(None),
            SpeakerAlarm.code != alarms.OFFLINE,
            visible(actor, path),
        )
    )
    return {row.id: row.region_path for row in rows}


def _marks(placed: Sequence[Speaker], shapes: dict[str, Shape], faulty: set[str]) -> Iterable[Mark]:
    for speaker, (x, y) in zip(placed, positions(placed, shapes), strict=True):
        wrong = speaker.id in faulty or bool(speaker.fault)
        kind = "offline" if not speaker.online else ("fault" if wrong else "ok")
        yield Mark(speaker, kind, round(x), round(y))


def positions(placed: Sequence[Speaker], shapes: dict[str, Shape]) -> list[Point]:
    """Return where each loudspeaker stands in the picture.

    Outlines are drawn in a box of their own, coordinates are degrees: how one follows from the other is found from the
    villages that have both. Where they do not fit together, a loudspeaker stands around the name of its village, as it
    lies to its neighbours; without any outlines the coordinates alone make the picture.
    """
    if not placed:
        return []
    if not shapes:
        return _alone(placed)
    middles = _middles(placed)
    common = [code for code in middles if code in shapes]
    if len(common) >= 3:
        at = np.array([[*middles[code], 1.0] for code in common])
        want = np.array([_centre(shapes[code].path) for code in common], dtype=float)
        solved, _, rank, _ = np.linalg.lstsq(at, want, rcond=None)
        apart = float(np.sqrt(((at @ solved - want) ** 2).sum(axis=1).mean()))
        if rank == 3 and apart <= FITS * WIDTH:
            found = np.array([[s.lon, s.lat, 1.0] for s in placed], dtype=float) @ solved
            return [_inside(float(x), float(y)) for x, y in found]
    return _around(placed, shapes, middles)


def _village(speaker: Speaker) -> str:
    return codes_in(speaker.region_path)[:3][-1]


def _middles(placed: Sequence[Speaker]) -> dict[str, Point]:
    by_village: defaultdict[str, list[Point]] = defaultdict(list)
    for speaker in placed:
        by_village[_village(speaker)].append((speaker.lon or 0.0, speaker.lat or 0.0))
    return {
        code: (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
        for code, points in by_village.items()
    }


def _alone(placed: Sequence[Speaker]) -> list[Point]:
    lons, lats = [s.lon or 0.0 for s in placed], [s.lat or 0.0 for s in placed]
    flat = float(np.cos(np.radians(sum(lats) / len(lats)))) or 1.0
    wide, tall = max((max(lons) - min(lons)) * flat, 1e-9), max(max(lats) - min(lats), 1e-9)
    scale = min((WIDTH - 4 * EDGE) / wide, (HEIGHT - 4 * EDGE) / tall, 1e7)
    left, top = (WIDTH - wide * scale) / 2, (HEIGHT - tall * scale) / 2
    return [
        _inside(left + (x - min(lons)) * flat * scale, HEIGHT - top - (y - min(lats)) * scale)
        for x, y in zip(lons, lats, strict=True)
    ]


def _around(placed: Sequence[Speaker], shapes: dict[str, Shape], middles: dict[str, Point]) -> list[Point]:
    farthest: defaultdict[str, float] = defaultdict(float)
    for speaker in placed:
        x, y = middles[_village(speaker)]
        apart = max(abs((speaker.lon or 0.0) - x), abs((speaker.lat or 0.0) - y))
        farthest[_village(speaker)] = max(farthest[_village(speaker)], apart)
    found = []
    for speaker in placed:
        code = _village(speaker)
        shape, (x, y) = shapes.get(code), middles[code]
        scale = SPREAD * _smaller_side(shape) / farthest[code] if farthest[code] else 0.0
        at = (shape.x, shape.y) if shape else (EDGE, HEIGHT - EDGE)
        found.append(_inside(at[0] + ((speaker.lon or 0.0) - x) * scale, at[1] - ((speaker.lat or 0.0) - y) * scale))
    return found


def _smaller_side(shape: Shape | None) -> float:
    if shape is None:
        return 2.0 * EDGE
    sides = np.ptp(_corners(shape.path), axis=0)
    return float(min(sides))


def _corners(path: str) -> Any:
    """Return the corners of an area from its SVG path (straight lines only), one a row."""
    return np.array([float(text) for text in re.findall(r"-?[0-9.]+", path)]).reshape(-1, 2)


def _centre(path: str) -> Point:
    """Return the centre of gravity of an area."""
    points = _corners(path)
    after = np.roll(points, -1, axis=0)
    cross = points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]
    if abs(float(cross.sum())) < 1e-6:
        return float(points[:, 0].mean()), float(points[:, 1].mean())
    middle = ((points + after) * cross[:, None]).sum(axis=0) / (3 * cross.sum())
    return float(middle[0]), float(middle[1])


def _inside(x: float, y: float) -> Point:
    return min(max(x, EDGE), WIDTH - EDGE), min(max(y, EDGE), HEIGHT - EDGE)
