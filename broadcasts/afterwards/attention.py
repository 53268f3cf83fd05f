"""What waits to be looked at afterwards, for the overview: late ones for everybody who answers for the place."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from broadcasts.afterwards import service
from broadcasts.delivery.desk import Press, Pressing
from hub.core.actor import Actor, Permission


def pressing(session: Session, actor: Actor, *, within: timedelta, now: datetime) -> list[Pressing]:
    """Return one line for what is late, and one for what this person may still review in time."""
    open_ = service.unreviewed(session, actor, within=within, now=now)
    late = [one for one in open_ if one.late]
    mine = [one for one in open_ if not one.late and not one.own and actor.may(Permission.APPROVE, one.alert.home_path)]
    may_review = any(not one.own and actor.may(Permission.APPROVE, one.alert.home_path) for one in late)
    found = []
    if late:
        who = actor.name if may_review else ""
        found.append(Pressing(Press.REVIEW_LATE, late[0].alert.title, who, count=len(late), until=late[0].due_at))
    if mine:
        found.append(Pressing(Press.REVIEW_DUE, mine[0].alert.title, count=len(mine), until=mine[0].due_at))
    return found
