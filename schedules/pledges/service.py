"""Pledges are materials of the library that belong to a village and carry the tag; here they are counted by village."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.approvals.lifecycle import State
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material
from broadcasts.materials.starting import as_material
from broadcasts.texts import filling, shelf
from broadcasts.texts.shelf import Text
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.regions import service as regions
from hub.regions.tree import Level

KEY = "pledge"


@dataclass(frozen=True, slots=True)
class Line:
    """One village. `own` are its texts and recordings, what may be broadcast first."""

    code: str
    name: str
    township: str
    own: tuple[Material, ...]
    may_write: bool

    @property
    def usable(self) -> Material | None:
        """What may be broadcast now."""
        return next((one for one in self.own if one.state is State.APPROVED), None)

    @property
    def last_used_at(self) -> datetime | None:
        """When it was heard last."""
        return max((one.last_used_at for one in self.own if one.last_used_at), default=None)

    @property
    def used(self) -> int:
        """How often it was heard."""
        return sum(one.used for one in self.own)


def lines(session: Session, actor: Actor, *, today: date) -> list[Line]:
    """Return every village the actor sees, in the order of the tree."""
    villages = [
        (top.name, node) for top in regions.forest(session, actor) for node in top.walk() if node.level is Level.VILLAGE
    ]
    found = _pledges(session, [node.path for _, node in villages], today)
    return [
        Line(node.code, node.name, above, tuple(found.get(node.path, ())), actor.may(Permission.COMPOSE, node.path))
        for above, node in villages
    ]


def write(session: Session, actor: Actor, code: str, *, now: datetime) -> Material:
    """Start a village's pledge from the ready text, to be put into the village's own words."""
    text = template()
    region = regions.get_region(session, actor, code, Permission.COMPOSE)
    draft = as_material(text, filling.sampled(text), home=region.code)
    return materials.create(session, actor, draft, now=now, to_check=True)


def template() -> Text:
    """Return the ready text of a pledge."""
    text = shelf.find(KEY)
    if text is None:
        raise NotFound("text_unknown")
    return text


def tag() -> str:
    """Return what marks a material as a pledge."""
    return template().tags[0]


def _pledges(session: Session, paths: list[str], today: date) -> dict[str, list[Material]]:
    rows = session.scalars(
        select(Material)
        .where(Material.home_path.in_(paths), Material.state != State.WITHDRAWN)
        .order_by(Material.changed_at.desc())
    )
    found: dict[str, list[Material]] = {}
    for one in rows:
        if tag() in one.tags and not one.is_over(today):
            found.setdefault(one.home_path, []).append(one)
    return {path: sorted(own, key=lambda one: one.state is not State.APPROVED) for path, own in found.items()}
