"""This room's lines of the menu."""

from sqlalchemy.orm import Session

from broadcasts.announcements import service
from broadcasts.approvals.rooms import Rooms
from hub.core.actor import Actor, Permission
from hub.core.runtime import runtime
from hub.web.menu import Entry, lazy_gettext


def entries() -> tuple[Entry, ...]:
    """Return them."""
    return (
        Entry(
            key="compose",
            label=lazy_gettext("发广播"),
            icon="plus",
            endpoint="announcements.compose",
            permission=Permission.COMPOSE,
            group=0,
            position=1,
            primary="compose",
        ),
        Entry(
            key="approvals",
            label=lazy_gettext("待审批"),
            icon="checks",
            endpoint="announcements.approvals",
            permission=Permission.APPROVE,
            group=1,
            position=2,
            badge=_waiting,
        ),
        Entry(
            key="written",
            label=lazy_gettext("我写的广播"),
            icon="edit",
            endpoint="announcements.written",
            permission=Permission.COMPOSE,
            group=1,
            position=4,
        ),
    )


def _waiting(session: Session, actor: Actor) -> int:
    """What waits for a person counts in one place, whichever room it is from."""
    return service.count_waiting(session, actor) + runtime().get(Rooms).count(session, actor)
