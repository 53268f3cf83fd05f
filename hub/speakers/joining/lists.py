"""Who waits in quarantine, and which papers nobody has fetched yet."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions.tree import codes_in
from hub.speakers.joining.models import Claim, ClaimState
from hub.speakers.models import Speaker


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Who waits. `devices` is None for people who may not see devices of other places; they know the number alone."""

    count: int
    devices: tuple[Claim, ...] | None


def waiting(session: Session, actor: Actor) -> Quarantine:
    """Return the devices in quarantine: to people of the county all of them, to others how many there are."""
    chosen = select(Claim).where(Claim.state == ClaimState.WAITING).order_by(Claim.seen_at.desc())
    devices = tuple(session.scalars(chosen).all())
    return Quarantine(len(devices), devices if may_see_quarantine(actor) else None)


def count_waiting(session: Session, actor: Actor) -> int:
    """Return how many devices wait; that much everybody may know who adds loudspeakers."""
    found = session.scalar(select(func.count()).select_from(Claim).where(Claim.state == ClaimState.WAITING))
    return found or 0


def offered(session: Session, actor: Actor) -> list[tuple[Claim, Speaker]]:
    """Return loudspeakers that have papers and have not connected yet, where the actor may edit, newest first."""
    rows = session.execute(
        select(Claim, Speaker)
        .join(Speaker, Speaker.id == Claim.speaker_id)
        .where(Claim.state == ClaimState.OFFERED, _editable(actor))
        .order_by(Claim.made_at.desc(), Speaker.id)
    )
    return [(claim, speaker) for claim, speaker in rows]


def may_see_quarantine(actor: Actor) -> bool:
    """Whether devices without a place are this person's business: they answer for a whole county."""
    return any(len(codes_in(path)) <= 1 for path in actor.paths(Permission.EDIT_SPEAKERS))


def _editable(actor: Actor) -> ColumnElement[bool]:
    paths = actor.paths(Permission.EDIT_SPEAKERS)
    return or_(false(), *(Claim.region_path.like(like_below(path)) for path in paths))
