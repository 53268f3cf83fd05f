"""Find villages and groups by the names people write into tables."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions.models import Region
from hub.regions.tree import Level

_NUMERALS = {n: i for i, n in enumerate("一二三四五六七八九", start=1)}


class Place(NamedTuple):
    """A region as far as an import needs it."""

    code: str
    path: str


@dataclass(frozen=True)
class Places:
    """The villages somebody may write to, by name (several can share one) and by code, and the groups in each."""

    villages: Mapping[str, tuple[Place, ...]]
    by_code: Mapping[str, Place]
    groups: Mapping[tuple[str, str], Place]
    """By (code of the village, name or number of the group)."""

    def village(self, text: str) -> tuple[Place, ...]:
        """Return the villages a cell may mean: exactly one when it is clear."""
        return (self.by_code[text],) if text in self.by_code else self.villages.get(text, ())

    def group(self, village: Place, text: str) -> Place | None:
        """Return the group of a village that a cell means."""
        return self.groups.get((village.code, text)) or self.groups.get((village.code, group_key(text)))


def places_for(session: Session, actor: Actor, permission: Permission) -> Places:
    """Return the villages and groups where the actor holds a permission."""
    paths = actor.paths(permission)
    if not paths:
        return Places({}, {}, {})
    regions = session.scalars(
        select(Region).where(
            or_(*(Region.path.like(like_below(path)) for path in paths)),
            Region.level.in_([Level.VILLAGE, Level.GROUP]),
        )
    ).all()
    names = {region.code: region.name for region in regions}
    villages: dict[str, tuple[Place, ...]] = {}
    groups: dict[tuple[str, str], Place] = {}
    by_code: dict[str, Place] = {}
    for region in regions:
        place = Place(region.code, region.path)
        by_code[region.code] = place
        if region.level is Level.VILLAGE:
            for name in {region.name, _short(region.name)} - {""}:
                villages[name] = (*villages.get(name, ()), place)
        else:
            village = names.get(region.code[:12], "")
            # 石桥一组 of 石桥村 is simply 一组 there.
            own = region.name.removeprefix(village).removeprefix(_short(village))
            for key in (region.name, group_key(region.name), group_key(own)):
                groups.setdefault((region.code[:12], key), place)
    return Places(villages, by_code, groups)


def group_key(name: str) -> str:
    """Return what different ways to write a group have in common: 三组, 第3组, 3社 and 03 are all `3`."""
    plain = unicodedata.normalize("NFKC", name).strip().removeprefix("第")
    plain = re.sub(r"(村民小组|小组|组|社|队)$", "", plain)
    if plain.isascii() and plain.isdigit():
        return str(int(plain))
    if match := re.fullmatch(r"([一二三四五六七八九]?)(十?)([一二三四五六七八九]?)", plain):
        tens, ten, units = match.groups()
        if ten:
            return str(_NUMERALS.get(tens, 1) * 10 + _NUMERALS.get(units, 0))
        if tens or units:
            return str(_NUMERALS[tens or units]) if not (tens and units) else plain
    return plain


def _short(village: str) -> str:
    return village.removesuffix("村").removesuffix("社区")
