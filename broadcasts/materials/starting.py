"""What lies in the demo's library: texts ready for use, some to be checked, one given back, one whose time is over."""

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.materials import service
from broadcasts.materials.drafting import MaterialDraft
from broadcasts.materials.models import Material
from broadcasts.texts import shelf
from broadcasts.texts.filling import Filled, sampled
from broadcasts.texts.shelf import Text
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import Runtime

FILE = Path(__file__).resolve().parents[2] / "templates" / "messages" / "routine" / "library.toml"
WRITER, REVIEWER = "editor", "chief"
"""Who brings them and who agrees in the demo: people of the county, so that every township may use them."""


@dataclass(frozen=True, slots=True)
class Starter:
    """One text to start with, and how far it has come. `days_ago`: when it was written."""

    text: Text
    source: str
    standing: str
    days_ago: int = 0
    lasts_days: int = 0
    reason: str = ""


@cache
def starters() -> tuple[Starter, ...]:
    """Return them, the last one on top of the list."""
    given: list[dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))["texts"]
    found = [(shelf.find(one["key"]), {k: v for k, v in one.items() if k != "key"}) for one in given]
    return tuple(Starter(text=text, **rest) for text, rest in found if text is not None)


def as_material(text: Text, filled: Filled, *, home: str = "") -> MaterialDraft:
    """Return a text as the library keeps it."""
    return MaterialDraft(
        title=filled.title,
        theme=text.theme,
        text=filled.text,
        sms_text=filled.sms,
        source=shelf.source(),
        tags=text.tags,
        home=home,
    )


def load(session: Session, writer: Actor, reviewer: Actor, runtime: Runtime) -> int:
    """Put them into the library; return how many. What is local in one is marked, and nobody has agreed to it yet."""
    now = runtime.now()
    for starter in starters():
        _put(session, writer, reviewer, starter, now - timedelta(days=starter.days_ago), runtime)
    return len(starters())


def _put(
    session: Session, writer: Actor, reviewer: Actor, starter: Starter, now: datetime, runtime: Runtime
) -> Material:
    today = now.astimezone(runtime.zone).date()
    plain = as_material(starter.text, sampled(starter.text))
    until = today + timedelta(days=starter.lasts_days) if starter.lasts_days else None
    draft = MaterialDraft(
        plain.title, plain.theme, plain.text, plain.sms_text, starter.source or plain.source, until, plain.tags
    )
    local = bool(starter.text.check)
    material = service.create(session, writer, draft, now=now, to_check=local)
    service.submit(session, writer, material.id, today=today, now=now)
    if starter.standing == "returned":
        service.give_back(session, reviewer, material.id, starter.reason, now=now)
    if starter.standing == "usable":
        service.approve(session, reviewer, material.id, seen_hash=material.content_hash, today=today, now=now)
    return material


def seed(runtime: Runtime) -> None:
    """Put them on the demo's desk."""
    with runtime.sessions.begin() as session:
        writer, reviewer = (
            actor_for(session, session.scalars(select(Account).where(Account.login == login)).one(), origin="demo")
            for login in (WRITER, REVIEWER)
        )
        load(session, writer, reviewer, runtime)
