"""How device and claim code find each other: quarantine, papers, the first connection, and what comes to nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.errors import BadInput, NotFound, TooMany, WrongState
from hub.core.typed import new_code, read_code
from hub.regions.tree import codes_in
from hub.speakers import registry
from hub.speakers.broker.accounts import new_secret
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.lists import may_see_quarantine
from hub.speakers.joining.models import Claim, ClaimState
from hub.speakers.joining.papers import Issuer, seal_papers
from hub.speakers.models import Speaker, SpeakerState

MOST_WAITING: Final = 200
MOST_WAITING_FROM_ONE: Final = 50
QUARANTINE: Final = timedelta(days=7)
"""Whoever did not ask again for so long is forgotten."""
PAPERS_WAIT: Final = timedelta(days=30)
"""How long a label may lie in a drawer."""
MOST_CODES: Final = 50
NAMES: Final = "speaker_name"
COPIED: Final = (
    "place",
    "lat",
    "lon",
    "keeper",
    "households",
    "volume",
    "volumes",
    "lead_in_ms",
    "drill",
)
"""What a new device takes over from the one whose place it takes, besides name and village."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a device says of itself before anybody knows it. Nothing of it can be believed."""

    claim: str
    serial: str = ""
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a device is told: to wait, here are its papers, or that nothing will come of it (`why` is a code)."""

    kind: Literal["wait", "papers", "gone"]
    papers: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A code that the hub has made, and the loudspeaker it is for. The code is shown once and kept nowhere."""

    code: str
    speaker: Speaker


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new loudspeaker goes. With `replaces`, name and village are those of the one it replaces."""

    name: str = ""
    region_code: str = ""
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """A loudspeaker that has just become ours, and the one it has replaced, if any."""

    speaker_id: str
    replaced: str = ""


# ---- the device's side


def announce(session: Session, device: Device, *, address: str, now: datetime) -> Reply:
    """A device asks for its papers. An unknown one is put into quarantine. TooMany when that is full."""
    claim = session.get(Claim, device.claim)
    if claim is None:
        _quarantine(session, device, address, now)
        return Reply("wait")
    if claim.state is ClaimState.DONE:
        return Reply("gone", why="used")
    if claim.state is ClaimState.DISMISSED or _is_over(claim, now):
        return Reply("gone", why="dismissed")
    claim.seen_at, claim.address = now, address[:60]
    claim.serial, claim.model, claim.version = device.serial[:60], device.model[:40], device.version[:40]
    if claim.state is ClaimState.WAITING:
        claim.expires_at = now + QUARANTINE
        return Reply("wait")
    return Reply("papers", papers=claim.papers)


def _is_over(claim: Claim, now: datetime) -> bool:
    return claim.state is ClaimState.OFFERED and claim.expires_at <= now


def _quarantine(session: Session, device: Device, address: str, now: datetime) -> None:
    waiting = Claim.state == ClaimState.WAITING
    fresh = Claim.expires_at > now
    total, from_here = session.execute(
        select(func.count(), func.count().filter(Claim.address == address[:60])).where(waiting, fresh)
    ).one()
    if total >= MOST_WAITING or from_here >= MOST_WAITING_FROM_ONE:
        raise TooMany("quarantine_full", retry_after_s=600)
    insert = insert_postgresql if session.get_bind().dialect.name == "postgresql" else insert_sqlite
    session.execute(
        insert(Claim)
        .values(
            id=device.claim,
            state=ClaimState.WAITING,
            region_path="",
            papers="",
            serial=device.serial[:60],
            model=device.model[:40],
            version=device.version[:40],
            address=address[:60],
            made_at=now,
            seen_at=now,
            expires_at=now + QUARANTINE,
            made_by_name="",
        )
        .on_conflict_do_nothing()  # the same device asked twice at once
    )


def came(session: Session, speaker_ids: Sequence[str], *, now: datetime) -> list[Joined]:
    """Make those ours that were expected and have connected: only who has read the papers knows the password.

    Each gets its enrolment number now, so that no command made before means it.
    """
    found = session.scalars(
        select(Speaker)
        .where(Speaker.id.in_(speaker_ids), Speaker.state == SpeakerState.EXPECTED)
        .order_by(Speaker.number)
        .with_for_update()
    ).all()
    return [_join(session, speaker, now) for speaker in found]


def _join(session: Session, speaker: Speaker, now: datetime) -> Joined:
    speaker.state = SpeakerState.ACTIVE
    speaker.number = registry.next_value(session, registry.ENROLMENTS)
    claim = session.scalars(
        select(Claim).where(Claim.speaker_id == speaker.id, Claim.state == ClaimState.OFFERED)
    ).first()
    if claim is not None:
        claim.state, claim.done_at, claim.papers = ClaimState.DONE, now, ""
        speaker.model = speaker.model or claim.model
        speaker.installed_on = speaker.installed_on or now.date()
    log.record(
        session, SYSTEM, "speaker.join", f"speaker:{speaker.id}", speaker.region_path, now, number=speaker.number
    )
    return Joined(speaker.id, _retire_replaced(session, speaker, now))


def _retire_replaced(session: Session, speaker: Speaker, now: datetime) -> str:
    old = session.get(Speaker, speaker.replaces) if speaker.replaces else None
    if old is None or old.state is SpeakerState.RETIRED:
        return ""
    registry.retire(session, SYSTEM, old.id, now=now, replaced_by=speaker.id)
    return old.id


# ---- people's side


def offer(session: Session, actor: Actor, typed: str, place: Place, issuer: Issuer, *, now: datetime) -> Speaker:
    """Give the device that waits under a code its papers. The code stands on the device or on its screen."""
    code = _read(typed)
    claim = session.get(Claim, claim_id(code))
    if claim is None or (claim.state is ClaimState.WAITING and claim.expires_at <= now):
        raise BadInput("claim_unknown", field="code")
    if claim.state is not ClaimState.WAITING:
        raise _used(session, actor, claim)
    speaker, secret = _expect(session, actor, place, now)
    speaker.model = claim.model
    taken = session.execute(
        update(Claim)
        .where(Claim.id == claim.id, Claim.state == ClaimState.WAITING)
        .values(
            state=ClaimState.OFFERED,
            speaker_id=speaker.id,
            region_path=speaker.region_path,
            papers=seal_papers(code, issuer.papers(speaker.id, secret, codes_in(speaker.region_path))),
            made_by_name=actor.name[:60],
            expires_at=now + PAPERS_WAIT,
        )
        .returning(Claim.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        raise BadInput("claim_used", field="code")
    log.record(session, actor, "speaker.claim", f"speaker:{speaker.id}", speaker.region_path, now, name=speaker.name)
    return speaker


def make_codes(
    session: Session, actor: Actor, place: Place, issuer: Issuer, *, now: datetime, count: int = 1
) -> list[Label]:
    """Make codes for devices that do not bring one; each is good for one device and 30 days."""
    if not 1 <= count <= MOST_CODES or (place.replaces and count != 1):
        raise BadInput("code_count", field="count", most=MOST_CODES)
    labels = []
    for number in range(1, count + 1):
        name = place.name if count == 1 else f"{place.name.strip()[:57]}{number}"
        speaker, secret = _expect(session, actor, Place(name, place.region_code, place.replaces), now)
        code = new_code()
        session.add(
            Claim(
                id=claim_id(code),
                state=ClaimState.OFFERED,
                speaker_id=speaker.id,
                region_path=speaker.region_path,
                papers=seal_papers(code, issuer.papers(speaker.id, secret, codes_in(speaker.region_path))),
                made_at=now,
                expires_at=now + PAPERS_WAIT,
                made_by_name=actor.name[:60],
            )
        )
        labels.append(Label(code, speaker))
    path = labels[0].speaker.region_path
    names = ", ".join(label.speaker.id for label in labels)
    log.record(session, actor, "speaker.code", f"region:{codes_in(path)[-1]}", path, now, devices=names)
    return labels


def dismiss(session: Session, actor: Actor, claim: str, *, now: datetime) -> None:
    """Send a waiting device away, or take back a code that nobody has used."""
    found = session.get(Claim, claim)
    if found is None or not _may_see(actor, found):
        raise NotFound("claim_gone")
    if found.state not in (ClaimState.WAITING, ClaimState.OFFERED):
        raise WrongState("claim_gone")
    speaker_id = found.speaker_id or ""
    subject = f"speaker:{speaker_id}" if speaker_id else f"device:{found.serial or found.id[:8]}"
    _end(session, found)
    log.record(session, actor, "speaker.dismiss", subject, found.region_path, now)


def expire(session: Session, *, now: datetime) -> int:
    """Forget devices that no longer ask, and end codes whose time is over; return how many accounts that ended."""
    gone = (ClaimState.WAITING, ClaimState.DISMISSED)
    session.execute(delete(Claim).where(Claim.state.in_(gone), Claim.expires_at <= now))
    late = session.scalars(select(Claim).where(Claim.state == ClaimState.OFFERED, Claim.expires_at <= now)).all()
    for claim in late:
        _end(session, claim)
        claim.expires_at = now + QUARANTINE
    return len(late)


def dismiss_of(session: Session, speaker_id: str) -> None:
    """End the open claims of a loudspeaker that is taken out of service."""
    session.execute(
        update(Claim)
        .where(Claim.speaker_id == speaker_id, Claim.state == ClaimState.OFFERED)
        .values(state=ClaimState.DISMISSED, papers="")
        .execution_options(synchronize_session=False)
    )


def replaceable(session: Session, actor: Actor, speaker_id: str) -> Speaker:
    """Return a loudspeaker whose place a new device may take."""
    speaker = registry.get(session, actor, speaker_id)
    actor.require(Permission.EDIT_SPEAKERS, speaker.region_path)
    if speaker.state is not SpeakerState.ACTIVE:
        raise WrongState("speaker_retired_already", speaker=speaker_id)
    expected = select(Speaker.id).where(Speaker.replaces == speaker_id, Speaker.state == SpeakerState.EXPECTED)
    if session.scalar(expected.limit(1)):
        raise WrongState("replacement_expected", speaker=speaker_id)
    return speaker


def _expect(session: Session, actor: Actor, place: Place, now: datetime) -> tuple[Speaker, str]:
    """Enrol a loudspeaker that is still to come."""
    old = replaceable(session, actor, place.replaces) if place.replaces else None
    secret = new_secret()
    speaker = registry.enrol(
        session,
        actor,
        speaker_id=free_name(session),
        name=old.name if old else place.name,
        region_code=old.region_code if old else place.region_code,
        now=now,
        secret=secret,
        state=SpeakerState.EXPECTED,
    ).speaker
    if old is not None:
        speaker.replaces = old.id
        for column in COPIED:
            setattr(speaker, column, getattr(old, column))
    return speaker, secret


def free_name(session: Session) -> str:
    """Return a device name that can be said over the phone: h0042."""
    while True:
        name = f"h{registry.next_value(session, NAMES):04d}"
        if session.get(Speaker, name) is None:
            return name


def _read(typed: str) -> str:
    code = read_code(typed)
    if code is None:
        raise BadInput("claim_code_malformed", field="code")
    return code


def _used(session: Session, actor: Actor, claim: Claim) -> BadInput:
    """Say what became of a code, and of whose loudspeaker as far as this person may know."""
    if claim.state is ClaimState.DISMISSED:
        return BadInput("claim_dismissed", field="code")
    speaker = session.get(Speaker, claim.speaker_id) if claim.speaker_id else None
    if speaker is None or not actor.may(Permission.SEE, speaker.region_path):
        return BadInput("claim_used", field="code")
    if claim.state is ClaimState.OFFERED:
        return BadInput("claim_is_offered", field="code", name=speaker.name, speaker=speaker.id)
    retired = speaker.state is SpeakerState.RETIRED
    return BadInput(
        "claim_retired" if retired else "claim_used_by", field="code", name=speaker.name, speaker=speaker.id
    )


def _end(session: Session, claim: Claim) -> None:
    """Close a claim; a loudspeaker that never came is struck off the list."""
    expected = session.get(Speaker, claim.speaker_id) if claim.speaker_id else None
    claim.state, claim.papers, claim.speaker_id = ClaimState.DISMISSED, "", None
    session.flush()
    if expected is not None and expected.state is SpeakerState.EXPECTED:
        session.delete(expected)
        session.flush()


def _may_see(actor: Actor, claim: Claim) -> bool:
    if claim.state is ClaimState.WAITING:
        return may_see_quarantine(actor)
    return bool(claim.region_path) and actor.may(Permission.EDIT_SPEAKERS, claim.region_path)
