"""Put the rows of a ledger into the tables, in one go: known loudspeakers get what is new, new ones get claim codes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.regions.lookup import places_for
from hub.regions.tree import common
from hub.speakers.care import setup
from hub.speakers.care.attention import visible
from hub.speakers.care.setup import Place
from hub.speakers.joining import claims
from hub.speakers.joining.claims import Label
from hub.speakers.joining.papers import Issuer
from hub.speakers.ledger.importing import Ground, Known, LedgerPlan
from hub.speakers.models import Speaker, SpeakerState


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `labels` are the codes of the new ones: shown once and kept nowhere."""

    labels: list[Label]
    changed: int
    same: int
    skipped: int


def ground_for(session: Session, actor: Actor, *, now: datetime) -> Ground:
    """Return what an import by this person is checked against."""
    speakers = session.scalars(select(Speaker).where(visible(actor, None))).all()
    known = {
        s.id: Known(
            path=s.region_path,
            place=Place.of(s),
            editable=actor.may(Permission.EDIT_SPEAKERS, s.region_path),
            retired=s.state is SpeakerState.RETIRED,
        )
        for s in speakers
    }
    names = frozenset((s.region_code, s.name) for s in speakers if s.state is not SpeakerState.RETIRED)
    return Ground(places_for(session, actor, Permission.EDIT_SPEAKERS), known, names, now)


def import_rows(session: Session, actor: Actor, plan: LedgerPlan, issuer: Issuer, *, now: datetime) -> Imported:
    """Write the good rows; each place is asked for permission again."""
    labels: list[Label] = []
    paths: list[str] = []
    for row in plan.good:
        if row.speaker_id:
            speaker = setup.set_place(session, actor, row.speaker_id, row.place, now=now)
        else:
            code = row.region.code if row.region else ""
            wanted = claims.Place(name=row.place.name, region_code=code)
            [label] = claims.make_codes(session, actor, wanted, issuer, now=now)
            speaker = setup.set_place(session, actor, label.speaker.id, row.place, now=now)
            labels.append(label)
        paths.append(speaker.region_path)
    if paths:
        log.record(
            session, actor, "speakers.import", "speaker:*", common(paths), now, added=len(labels), updated=plan.changed
        )
    return Imported(labels, plan.changed, plan.same, plan.faulty_rows)
