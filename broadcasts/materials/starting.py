"""Words to start with: some of the texts that come with the program, to be checked locally before use."""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.materials import service
from broadcasts.materials.drafting import MaterialDraft
from broadcasts.texts import shelf
from broadcasts.texts.filling import Filled
from broadcasts.texts.shelf import Text
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import Runtime

KEYS = (
    "flood",
    "landslide",
    "forest_fire",
    "house_fire",
    "ebike",
    "gas",
    "drowning",
    "road",
    "fraud_police",
    "fraud_service",
    "fraud_health",
    "electricity",
)
WRITER = "editor"
"""Who brings them in the demo: the county's editor, so that every township may use what is agreed to."""


@dataclass(frozen=True, slots=True)
class Starter:
    """One text to start with."""

    key: str
    draft: MaterialDraft


@cache
def starters() -> tuple[Starter, ...]:
    """Return them in order."""
    found = [text for key in KEYS if (text := shelf.find(key))]
    return tuple(Starter(text.key, as_material(text, Filled(text.title, text.text, text.sms))) for text in found)


def as_material(text: Text, filled: Filled) -> MaterialDraft:
    """Return a text as the library keeps it."""
    return MaterialDraft(
        title=filled.title,
        theme=text.theme,
        text=filled.text,
        sms_text=filled.sms,
        source=shelf.source(),
        tags=text.tags,
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
