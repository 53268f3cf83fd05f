"""One unit of work per request, and who is behind it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from flask import g, request
from sqlalchemy.orm import Session

from hub.core import trial
from hub.core.actor import Actor
from hub.core.errors import NotSignedIn
from hub.core.runtime import runtime
from hub.core.writing import in_a_hurry

COOKIE = "cunxiang_session"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person as the frame of a page needs them."""

    actor: Actor
    name: str
    language: str
    theme: str
    home_path: str
    county_name: str
    unit_name: str
    held_at: str = ""
    """The endpoint where this person has to do something first, such as choosing a password; empty as a rule."""
    on_duty: bool = False
    """A session on duty, whose screen can be locked."""
    trial: bool = False
    """A program with a test key: nothing it asks for is done."""


@dataclass(frozen=True)
class Identity:
    """How a cookie or token becomes a person. Provided by the accounts room, which stands above this one."""

    by_cookie: Callable[[str], Visitor | None]
    by_token: Callable[[str], Visitor | None]
    remember_language: Callable[[Actor, str], None]
    remember_theme: Callable[[Actor, str], None]


def work() -> AbstractContextManager[Session]:
    """Open a session that commits at the end of the block and rolls back on any exception."""
    return runtime().sessions.begin()


@contextmanager
def urgent_work() -> Iterator[Session]:
    """As `work`, before everything that waits to be written: calling an emergency, and silencing one."""
    with in_a_hurry(), work() as session:
        yield session


def reading() -> AbstractContextManager[Session]:
    """Open a session that only reads."""
    return runtime().sessions.read()


def now() -> datetime:
    """Return the present moment by the hub's clock."""
    return runtime().now()


def actor() -> Actor:
    """Return who is behind this request; NotSignedIn if nobody is."""
    found = visitor()
    if found is None:
        raise NotSignedIn("sign_in_needed")
    return found.actor


def visitor() -> Visitor | None:
    """Return the person behind this request, or None. Looked up once a request."""
    if "visitor" not in g:
        g.visitor = _identify()
    found = g.visitor
    return found if isinstance(found, Visitor) else None


def nobody_asks() -> None:
    """Look nobody up for the rest of this request."""
    g.visitor = None


def is_api() -> bool:
    """Return whether a program is asking, not a browser."""
    return request.path.startswith("/api/")


def origin() -> str:
    """Return the address the request came from, for the log."""
    return request.remote_addr or ""


def _identify() -> Visitor | None:
    identity = runtime().get(Identity)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found = identity.by_token(token.strip())
        if found is not None and found.trial:
            trial.begin()
        return found
    # The cookie never speaks for the JSON API: a page of another site could send it along.
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or is_api():
        return None
    return identity.by_cookie(cookie)
