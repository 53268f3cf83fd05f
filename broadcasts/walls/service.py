"""Let a screen in, look after those there are, and send them away.

A screen has no address with a secret in it: its browser makes a token of its own (a cookie), shows eight characters,
and whoever administers a place types them in. What it shows then is what that place may be shown, and nothing else.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.walls.models import WallScreen
from hub.accounts.passwords import new_token, token_hash
from hub.audit import log
from hub.core.actor import Actor, Permission, Scope
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, TooMany
from hub.core.typed import new_code, read_code
from hub.regions import service as regions

CODE_LENGTH: Final = 8
ASKS_FOR: Final = timedelta(minutes=30)
"""How long a screen may wait to be let in."""
FORGOTTEN_AFTER: Final = timedelta(days=90)
"""A screen that was not switched on for so long has to ask again."""
MOST_WAITING: Final = 100
NAME_LENGTH: Final = 40
TOUCH: Final = timedelta(minutes=5)


def ask(session: Session, *, origin: str, now: datetime) -> tuple[str, WallScreen]:
    """Keep a browser that wants to be a screen; return its token. Old askers are forgotten on this occasion."""
    waiting = WallScreen.made_at.is_(None)
    session.execute(
        delete(WallScreen).where(
            or_(waiting & (WallScreen.asked_at < now - ASKS_FOR), WallScreen.seen_at < now - FORGOTTEN_AFTER)
        )
    )
    if (session.scalar(select(func.count()).select_from(WallScreen).where(waiting)) or 0) >= MOST_WAITING:
        raise TooMany("wall_too_many", retry_after_s=600)
    token = new_token()
    screen = WallScreen(
        token_hash=token_hash(token), code=new_code(CODE_LENGTH), asked_at=now, seen_at=now, origin=origin[:60]
    )
    session.add(screen)
    session.flush()
    return token, screen


def find(session: Session, token: str, *, now: datetime) -> WallScreen | None:
    """Return the screen a cookie stands for; None when there is none, or it waited or slept too long."""
    screen = session.get(WallScreen, token_hash(token)) if token else None
    if screen is None:
        return None
    late = now - screen.asked_at > ASKS_FOR if screen.made_at is None else now - screen.seen_at > FORGOTTEN_AFTER
    return None if late else screen


def touch(session: Session, screen_hash: bytes, *, now: datetime) -> None:
    """Note that it is switched on."""
    screen = session.get(WallScreen, screen_hash)
    if screen is not None and now - screen.seen_at > TOUCH:
        screen.seen_at = now


def let_in(session: Session, actor: Actor, typed: str, region: str, name: str, *, now: datetime) -> WallScreen:
    """Let the screen that shows this code show a place."""
    place = regions.get_region(session, actor, region, Permission.EDIT_ACCOUNTS)
    code = read_code(typed, CODE_LENGTH)
    fresh = WallScreen.made_at.is_(None) & (WallScreen.asked_at >= now - ASKS_FOR)
    screen = session.scalar(select(WallScreen).where(WallScreen.code == code, fresh)) if code else None
    if screen is None:
        raise BadInput("wall_code_unknown", field="code")
    name = name.strip()
    if not name or len(name) > NAME_LENGTH:
        raise BadInput("wall_name", field="name", most=NAME_LENGTH)
    screen.name, screen.region_path = name, place.path
    screen.made_by_name, screen.made_at = actor.name[:60], now
    log.record(session, actor, "wall.let_in", f"wall:{screen.code}", place.path, now, name=name)
    return screen


def every(session: Session, actor: Actor) -> list[tuple[WallScreen, str]]:
    """Return the screens of the places whose accounts the actor looks after, with the place's name."""
    paths = actor.paths(Permission.EDIT_ACCOUNTS)
    if not paths:
        return []
    query = select(WallScreen).where(
        WallScreen.made_at.is_not(None), or_(*(WallScreen.region_path.like(like_below(path)) for path in paths))
    )
    found = session.scalars(query.order_by(WallScreen.made_at)).all()
    return [(screen, regions.full_name(session, screen.region_path)) for screen in found]


def send_away(session: Session, actor: Actor, code: str, *, now: datetime) -> None:
    """Let a screen show nothing any more."""
    screen = session.scalar(select(WallScreen).where(WallScreen.code == code, WallScreen.made_at.is_not(None)))
    if screen is None or not actor.may(Permission.EDIT_ACCOUNTS, screen.region_path):
        raise NotFound("wall_unknown")
    log.record(session, actor, "wall.send_away", f"wall:{code}", screen.region_path, now, name=screen.name)
    session.delete(screen)


def looker(screen: WallScreen) -> Actor:
    """Return who looks at that screen: somebody who may see one place, and do nothing."""
    seeing = Scope(screen.region_path, frozenset({Permission.SEE}))
    return Actor(id=None, name=screen.name, scopes=(seeing,), via="wall")
