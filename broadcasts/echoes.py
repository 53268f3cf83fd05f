"""What residents and people on the spot say, for the pages of rooms below: overview, one broadcast, one loudspeaker."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from flask import url_for
from sqlalchemy.orm import Session

from broadcasts.delivery.desk import Complaining, Complaints, Cry, Echo, Echoes
from broadcasts.feedback import listing
from broadcasts.feedback.kinds import ComplaintState
from broadcasts.feedback.sheets import KINDS, STATES
from broadcasts.hearing import tallies
from broadcasts.hearing.tallies import Spell
from broadcasts.sms.letters.inbox import CriesElsewhere, CryElsewhere
from hub.core.actor import Actor, Permission
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.clarity import NOTHING, OVER, Clarity, ClarityMap, SpeakerVoices, VoicesOfSpeaker
from hub.speakers.history import SpeakerEvent

SHOWN = 6
TONES = {ComplaintState.NEW: "bad", ComplaintState.WORKING: "warn", ComplaintState.DONE: "ok"}


def provide(runtime: Runtime) -> None:
    """Tell the rooms below whom to ask."""
    runtime.provide(Complaining, Complaining(complaints))
    runtime.provide(CriesElsewhere, CriesElsewhere(cries))
    runtime.provide(Echoes, Echoes(of_broadcast))
    runtime.provide(VoicesOfSpeaker, VoicesOfSpeaker(of_speaker))
    runtime.provide(ClarityMap, ClarityMap(by_village, lambda code: url_for("hearing.over_time", region=code)))


def complaints(session: Session, actor: Actor, now: datetime) -> Complaints:
    """Return what residents complain of, for the overview."""
    counts = listing.counts(session, actor, now=now)
    cries = [
        Cry(
            line.complaint.id,
            line.complaint.text,
            line.place,
            line.complaint.received_at,
            line.complaint.assigned_name,
        )
        for line in listing.crying(session, actor)
    ]
    return Complaints(cries, counts.open, counts.new, counts.late)


def cries(session: Session, actor: Actor) -> list[CryElsewhere]:
    """Return open words of danger that are no text messages, for the top of the letters."""
    return [
        CryElsewhere(
            line.complaint.text,
            line.place,
            line.complaint.received_at,
            line.complaint.assigned_name,
            url_for("feedback.one", complaint_id=line.complaint.id),
        )
        for line in listing.crying(session, actor)
        if line.complaint.inbound_id is None
    ]


def of_broadcast(session: Session, actor: Actor, broadcast_id: UUID) -> Echo:
    """Return what was said about a broadcast."""
    found = listing.of_broadcast(session, actor, broadcast_id)
    clarity = tallies.of_broadcasts(session, actor, [broadcast_id]).get(broadcast_id, NOTHING)
    deals = actor.may_somewhere(Permission.ANSWER)
    return Echo(
        complaints=[(str(KINDS[kind]), count) for kind, count in found.items()],
        clarity=clarity,
        complaints_at=url_for("feedback.every", broadcast=broadcast_id, show="all") if deals else "",
        clarity_at=url_for("hearing.one", broadcast_id=broadcast_id) if deals else "",
    )


def of_speaker(session: Session, actor: Actor, speaker_id: str, now: datetime) -> SpeakerVoices:
    """Return what was said about a loudspeaker the actor sees."""
    speaker = registry.get(session, actor, speaker_id)
    deals = actor.may(Permission.ANSWER, speaker.region_path)
    found = listing.of_speaker(session, actor, speaker, limit=SHOWN)
    return SpeakerVoices(
        complaints=[
            SpeakerEvent(
                c.received_at,
                str(KINDS[c.kind]) + (f"：{c.text}" if c.text else ""),
                str(STATES[c.state]),
                TONES[c.state],
                url_for("feedback.one", complaint_id=c.id),
            )
            for c in found
        ],
        clarity=tallies.of_speaker(session, speaker_id, Spell(now - OVER)),
        complaints_at=url_for("feedback.every", speaker=speaker_id, show="all") if deals else "",
        clarity_at=url_for("hearing.over_time", region=speaker.region_code),
    )


def by_village(session: Session, actor: Actor, now: datetime) -> Mapping[str, Clarity]:
    """Return how well each village was understood lately."""
    return tallies.by_village(session, actor, Spell(now - OVER))
