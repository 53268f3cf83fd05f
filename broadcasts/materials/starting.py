"""Words to start with, from `templates/messages/library/starter.toml`: to be checked locally before use."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.kinds import Theme
from broadcasts.materials import service
from broadcasts.materials.drafting import MaterialDraft
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import Runtime

FILE = Path(__file__).resolve().parents[2] / "templates" / "messages" / "library" / "starter.toml"
WRITER = "editor"
"""Who brings them in the demo: the county's editor, so that every township may use what is agreed to."""


@dataclass(frozen=True, slots=True)
class Starter:
    """One text to start with."""

    key: str
    draft: MaterialDraft


@cache
def starters() -> tuple[Starter, ...]:
    """Return them in the order of the file."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    source = str(raw.pop("source"))
    return tuple(
        Starter(
            key,
            MaterialDraft(
                title=item["title"],
                theme=Theme(item["theme"]),
                text=item["text"],
                source=source,
                tags=tuple(item["tags"]),
            ),
        )
        for key, item in raw.items()
    )


def load(session: Session, actor: Actor, runtime: Runtime) -> int:
    """Hand them all in, marked as not yet checked; return how many."""
    now = runtime.now()
    for starter in starters():
        material = service.create(session, actor, starter.draft, now=now, to_check=True)
        service.submit(session, actor, material.id, today=now.astimezone(runtime.zone).date(), now=now)
    return len(starters())


def seed(runtime: Runtime) -> None:
    """Put them on the demo's desk."""
    with runtime.sessions.begin() as session:
        account = session.scalars(select(Account).where(Account.login == WRITER)).one()
        load(session, actor_for(session, account, origin="demo"), runtime)
