"""Say a broadcast once more where nobody has heard it, and nowhere else: as a new announcement, approved anew."""

from dataclasses import replace
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from broadcasts.announcements import forms, listing, service
from broadcasts.announcements.forms import Form
from broadcasts.announcements.models import When
from broadcasts.delivery import progress
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import BroadcastState
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound, WrongState


def form_for(session: Session, actor: Actor, form: Form, broadcast_id: UUID, zone: ZoneInfo) -> Form:
    """Return a form with the words of a broadcast, at once, for the loudspeakers that stayed silent.

    WrongState while it may still sound there, and when none was silent: a form without any would mean all of them.
    """
    broadcast = delivery.get(session, actor, broadcast_id)
    if broadcast.announcement_id is None:
        raise NotFound("broadcast_unknown")
    if broadcast.state is not BroadcastState.DONE or broadcast.done_at is None:
        raise WrongState("repeat_too_early")
    silent = progress.silent_in(session, actor, broadcast.id)
    mine = {speaker: path for speaker, path in silent if actor.may(Permission.COMPOSE, path)}
    if not mine:
        raise WrongState("repeat_nobody_silent")
    original = service.as_draft(listing.copyable(session, actor, broadcast.announcement_id))
    copy = forms.copied(original, form, actor, zone)
    values = replace(
        copy.values,
        regions=copy.values.regions or tuple(sorted({path.rstrip("/").rpartition("/")[2] for path in mine.values()})),
        channels=("speakers",),
        only=tuple(sorted(mine)),
        without=(),
        when=When.NOW.value,
        day="",
        at="",
    )
    return replace(forms.understand(values, actor, zone, form.draft.first_day or date.max), id=form.id)
