"""The steps of the first run, and which are done: by what the tables show, or by what somebody said."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.first_run.models import FirstStep, Said
from hub.regions import service as regions
from hub.regions.service import Node

WHOLE = "whole"
"""The row that says that the guide was closed."""
Count = Callable[[Session, Actor], int]
"""How much of it there is; nothing means not done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Its words stand in templates/hub/first_run/_words.html under the same key."""

    key: str
    position: int
    endpoint: str
    count: Count
    other: str = ""
    """Another way to do it: a second page."""


@dataclass
class FirstSteps:
    """All steps; rooms above add theirs."""

    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Add a step."""
        self.steps.append(step)
        self.steps.sort(key=lambda s: s.position)

    def get(self, key: str) -> Step:
        """Return a step; NotFound when there is none of that name."""
        for step in self.steps:
            if step.key == key:
                return step
        raise NotFound("first_step_unknown")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a step is: `done`, `skipped` or `open`."""

    step: Step
    state: str
    count: int


def may_lead(session: Session, actor: Actor) -> bool:
    """Return whether this person leads the first run: the administrator of the whole tree."""
    tops = regions.roots(session)
    return all(actor.may(Permission.EDIT_ACCOUNTS, top) and actor.may(Permission.EDIT_REGIONS, top) for top in tops)


def is_open(session: Session, actor: Actor) -> bool:
    """Return whether the guide is still worth showing to this person."""
    if not actor.may_somewhere(Permission.EDIT_ACCOUNTS) or not may_lead(session, actor):
        return False
    return session.get(FirstStep, WHOLE) is None


def standing(session: Session, actor: Actor, steps: FirstSteps) -> list[Standing]:
    """Return how far every step is, for whoever leads the first run."""
    _require(session, actor)
    said = {row.key: row.said for row in session.scalars(select(FirstStep))}
    return [_one(step, said.get(step.key), step.count(session, actor)) for step in steps.steps]


def say(session: Session, actor: Actor, steps: FirstSteps, key: str, said: Said | None, *, now: datetime) -> None:
    """Tick a step off, leave it out, or (None) take either back; `whole` closes the guide."""
    _require(session, actor)
    if key != WHOLE:
        steps.get(key)
    row = session.get(FirstStep, key)
    if row is not None:
        session.delete(row)
        session.flush()
    if said is not None:
        session.add(FirstStep(key=key, said=said, by_name=actor.name[:60], at=now))
    deed = f"first_run.{said.value if said else 'reopen'}"
    log.record(session, actor, deed, f"step:{key}", regions.roots(session)[0], now)


def villages(forest: tuple[Node, ...]) -> int:
    """Return how many villages a tree has."""
    return sum(1 for top in forest for node in top.walk() if node.level.value == "village")


def _one(step: Step, said: Said | None, count: int) -> Standing:
    if count or said is Said.DONE:
        return Standing(step, "done", count)
    return Standing(step, "skipped" if said is Said.SKIPPED else "open", count)


def _require(session: Session, actor: Actor) -> None:
    for top in regions.roots(session):
        actor.require(Permission.EDIT_ACCOUNTS, top)
        actor.require(Permission.EDIT_REGIONS, top)
