"""Everything the compose page shows, read in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements import choosing, forms, moments
from broadcasts.announcements.choosing import Branch
from broadcasts.announcements.forms import Form
from broadcasts.announcements.handing_in import OPEN
from broadcasts.announcements.horns import Choosable, choosable
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.outlook import Outlook, look
from broadcasts.announcements.playing import Offered, offered
from broadcasts.announcements.ready import Ready, ready_made
from broadcasts.announcements.sounding import Sounding
from broadcasts.announcements.timing import Timetable
from broadcasts.delivery.rules import Rules
from hub.core.actor import Actor
from hub.residents import extra


@dataclass(frozen=True, slots=True)
class Desk:
    """The compose page. `standing` is the announcement as it is kept, None before it was first saved."""

    form: Form
    tree: tuple[Branch, ...]
    groups: list[str]
    numbers: Sequence[tuple[str, str]]
    """Single telephones it goes to besides: hash, and number as it may be shown."""
    horns: Choosable
    outlook: Outlook
    times: list[tuple[int, str, date]]
    ready: tuple[Ready, ...]
    chosen_ready: str
    library: Offered
    standing: Announcement | None

    @property
    def autosaves(self) -> bool:
        """Whether typing may save: what waits for approval is not taken back by a stray key."""
        return self.standing is None or self.standing.state in OPEN


def show(
    session: Session, actor: Actor, form: Form, sound: Sounding, *, rules: Rules, timetable: Timetable, now: datetime
) -> Desk:
    """Return the page for a form."""
    chosen = set(form.draft.audience.regions)
    return Desk(
        form=form,
        tree=choosing.tree(session, actor, chosen),
        groups=choosing.groups(session, actor, (*form.draft.audience.tags, *form.draft.audience.without_tags)),
        numbers=extra.shown(session, form.values.kept),
        horns=choosable(session, form.draft.audience),
        outlook=look(session, form.draft, sound, rules=rules, timetable=timetable, now=now),
        times=moments.usual_times(now, rules.quiet),
        ready=ready_made(),
        chosen_ready=forms.chosen_ready(form.values),
        library=offered(session, actor, now.astimezone(rules.zone).date()),
        standing=own(session, actor, form.id),
    )


def own(session: Session, actor: Actor, announcement_id: UUID) -> Announcement | None:
    """Return the actor's own announcement of that id, or None."""
    found = session.get(Announcement, announcement_id)
    return found if found is not None and found.written_by == actor.id else None
