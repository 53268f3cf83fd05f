"""What whoever is on duty does with a warning: pass it on, leave it, or say that it is another event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts import service as alerts
from broadcasts.alerts.hazards import Hazard, Words, hazards, wording
from broadcasts.alerts.incidents.models import Incident, IncidentSource, IncidentState
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.plans.words import with_endings
from broadcasts.alerts.wishes import Spoken, Wish
from broadcasts.audience.selection import Audience
from broadcasts.bulletins import chains, placing
from broadcasts.bulletins.gist import Gist
from broadcasts.bulletins.models import Bulletin, BulletinState, TrustedSender
from broadcasts.bulletins.reach import meets, part_of, within
from broadcasts.bulletins.words import words_of
from broadcasts.cap.document import MsgType, Scope, Status
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.regions import service as regions
from hub.regions.tree import common, path_of

LONGEST_REASON = 200
MOST_WAITING = 99
MOST_NAMED = 3
"""More places than that are called by what lies above them."""


@dataclass(frozen=True, slots=True)
class Passing:
    """The last step: the colour, the number of loudspeakers that was read and typed, and the key of this very form."""

    form_key: str
    colour: Colour
    speakers_typed: int
    sms: bool = True


def get(session: Session, actor: Actor, bulletin_id: UUID) -> Bulletin:
    """Return a warning the actor may see; to a stranger it does not exist."""
    bulletin = session.get(Bulletin, bulletin_id)
    if bulletin is None or not may_see(actor, bulletin):
        raise NotFound("bulletin_unknown")
    return bulletin


def may_see(actor: Actor, bulletin: Bulletin) -> bool:
    """Return whether a warning means a place the actor answers for, or came for one."""
    return meets(actor, Permission.SEE, bulletin.regions, bulletin.home_path)


def own_part(actor: Actor, bulletin: Bulletin) -> tuple[str, ...]:
    """Return where the actor may pass it on."""
    return part_of(actor, Permission.EMERGENCY, bulletin.regions)


def place_of(session: Session, codes: Sequence[str]) -> str:
    """Return what a warning's places are called in one sentence."""
    if len(codes) > MOST_NAMED:
        above = common([path_of(code) for code in codes])
        if above:
            return regions.full_name(session, above, without_county=True)
    names = regions.names(session, set(codes))
    return wording().listed([names.get(code, code) for code in codes])


def words_for(session: Session, bulletin: Bulletin, colour: Colour, codes: Sequence[str]) -> Words:
    """Return what would be said and written in these places."""
    return words_of(gist_of(bulletin), colour, place_of(session, codes))


def gist_of(bulletin: Bulletin) -> Gist:
    """Return what a kept warning says, as it came."""
    return Gist(
        sender=bulletin.sender,
        identifier=bulletin.identifier,
        sent=bulletin.sent,
        status=Status.ACTUAL,
        purpose=MsgType(bulletin.purpose),
        scope=Scope.PUBLIC,
        issuer=bulletin.issuer,
        event=bulletin.event,
        kind=bulletin.kind,
        hazard=bulletin.hazard,
        colour=bulletin.colour,
        clashing=False,
        headline=bulletin.headline,
        description=bulletin.description,
        instruction=bulletin.instruction,
        language="",
        begins=bulletin.begins,
        ends=bulletin.ends,
        ends_assumed=bulletin.ends_assumed,
        over=bulletin.over,
        areas=(),
        codes=(),
        references=(),
    )


def hazard_of(bulletin: Bulletin) -> Hazard:
    """Return the kind of emergency, also of one that this hub has no words of its own for."""
    known = hazards().get(bulletin.hazard)
    if known is not None:
        return known
    name = bulletin.title[:20]
    return Hazard(key=bulletin.hazard[:20], name=name, name_en=name, icon="alert-triangle", words={})


def wish_of(session: Session, actor: Actor, bulletin: Bulletin, passing: Passing) -> Wish:
    """Return the emergency a warning becomes where the actor answers for it."""
    if bulletin.colour is not None and passing.colour is not bulletin.colour:
        raise BadInput("bulletin_colour_fixed", field="colour")
    own = own_part(actor, bulletin)
    if not own:
        raise NotAllowed("not_allowed", permission=Permission.EMERGENCY.value)
    words = words_for(session, bulletin, passing.colour, own)
    return Wish(
        passing.form_key,
        hazard_of(bulletin),
        passing.colour,
        with_endings(words, bulletin.title),
        Audience(own, sms=passing.sms),
        passing.speakers_typed,
        place=place_of(session, own),
        issuer=bulletin.issuer,
        issuer_ref=bulletin.identifier[:120],
    )


def require_waiting(session: Session, actor: Actor, bulletin: Bulletin, *, now: datetime) -> None:
    """Raise WrongState unless the actor may still decide about it."""
    if bulletin.state is not BulletinState.PROPOSED or told_by(session, actor, bulletin, now=now) is not None:
        raise WrongState("bulletin_decided")
    if bulletin.ends <= now:
        raise WrongState("bulletin_over")


def take(
    session: Session, actor: Actor, bulletin_id: UUID, passing: Passing, spoken: Spoken, *, rules: Rules, now: datetime
) -> Alert:
    """Make an emergency of it and start the countdown. Who says the same is joined: nobody hears it twice."""
    bulletin = get(session, actor, bulletin_id)
    before = alerts.armed_before(session, actor, passing.form_key)
    if before is not None:
        return before
    bulletin = session.get_one(Bulletin, bulletin_id, with_for_update=True, populate_existing=True)
    require_waiting(session, actor, bulletin, now=now)
    alert = alerts.arm(session, actor, wish_of(session, actor, bulletin, passing), spoken, rules=rules, now=now)
    alert.title = bulletin.title
    _authorise(session, alert, bulletin, rules, now)
    bulletin.alert_id = alert.id
    session.flush()
    reached = [code for one in chains.told_of(session, bulletin) for code in one.audience["regions"]]
    if within(_villages(session, bulletin.regions), reached):
        _settle(bulletin, BulletinState.TAKEN, actor, now)
    for other in chains.others(session, bulletin.incident_id):
        if other.state is BulletinState.PROPOSED and chains.covers(alert, other.colour, other.regions):
            _settle(other, BulletinState.JOINED, actor, now)
            other.alert_id = alert.id
    _record(session, actor, "bulletin.take", bulletin, now)
    return alert


def _authorise(session: Session, alert: Alert, bulletin: Bulletin, rules: Rules, now: datetime) -> None:
    """Let a known authority's warning go out by one person: the words are not theirs. Others wait for a second."""
    known = session.scalar(select(TrustedSender.id).where(TrustedSender.sender == bulletin.sender))
    if known is not None and alert.state is AlertState.PROPOSED:
        alert.authority, alert.state = Authority.ISSUED, AlertState.ARMED
        alert.fires_at = now + rules.countdown
        alert.expires_at = alert.fires_at + rules.emergency_valid
    alert.expires_at = min(alert.expires_at, bulletin.ends)


def reopen(session: Session, *, now: datetime) -> int:
    """Put a warning before somebody again when what was made of it was called off or never fired; return how many."""
    query = select(Bulletin).where(Bulletin.state.in_([BulletinState.TAKEN, BulletinState.JOINED]), Bulletin.ends > now)
    count = 0
    for bulletin in session.scalars(query):
        alert = session.get(Alert, bulletin.alert_id) if bulletin.alert_id else None
        if alert is not None and alert.state in chains.NOTHING_SENT and not chains.told_of(session, bulletin):
            bulletin.state, bulletin.decided_at, bulletin.alert_id = BulletinState.PROPOSED, None, None
            count += 1
    session.flush()
    return count


def told_by(session: Session, actor: Actor, bulletin: Bulletin, *, now: datetime) -> Alert | None:
    """Return the emergency by which the actor's own part has been told, None if it was not."""
    own = own_part(actor, bulletin)
    return chains.told_by(session, bulletin, own, now=now) if own else None


def dismiss(session: Session, actor: Actor, bulletin_id: UUID, *, reason: str, now: datetime) -> Bulletin:
    """Leave it, and say why."""
    bulletin = get(session, actor, bulletin_id)
    _require(actor, bulletin)
    words = reason.strip()
    if not words:
        raise BadInput("bulletin_reason_missing", field="reason")
    if len(words) > LONGEST_REASON:
        raise BadInput("bulletin_reason_long", field="reason", most=LONGEST_REASON)
    bulletin = session.get_one(Bulletin, bulletin_id, with_for_update=True, populate_existing=True)
    if bulletin.state not in (BulletinState.PROPOSED, BulletinState.JOINED):
        raise WrongState("bulletin_decided")
    _settle(bulletin, BulletinState.DISMISSED, actor, now)
    bulletin.reason = words
    session.flush()
    chains.close_empty(session, [bulletin.incident_id], now=now)
    _record(session, actor, "bulletin.dismiss", bulletin, now)
    return bulletin


def split(session: Session, actor: Actor, bulletin_id: UUID, *, now: datetime) -> Bulletin:
    """Say that it is another event: it gets an incident of its own and waits again."""
    bulletin = get(session, actor, bulletin_id)
    _require(actor, bulletin)
    old = session.get(Incident, bulletin.incident_id) if bulletin.incident_id else None
    if old is None or bulletin.state not in (BulletinState.PROPOSED, BulletinState.JOINED):
        raise WrongState("bulletin_decided")
    if len(chains.others(session, old.id)) < 2 and bulletin.state is BulletinState.PROPOSED:
        raise WrongState("bulletin_stands_alone")
    new = Incident(
        mode=old.mode,
        hazard=bulletin.hazard,
        colour=bulletin.colour or Colour.YELLOW,
        title=bulletin.title,
        home_path=bulletin.home_path,
        regions=list(bulletin.regions),
        opened_at=now,
        opened_by_name=actor.name[:60],
        touched_at=now,
        state=IncidentState.OPEN,
    )
    session.add(new)
    session.flush()
    sources = session.scalars(
        select(IncidentSource).where(
            IncidentSource.incident_id == old.id, IncidentSource.document_id == bulletin.document_id
        )
    )
    for source in sources:
        if source.details.get("bulletin") == str(bulletin.id):
            source.incident_id = new.id
    bulletin.incident_id, bulletin.alert_id = new.id, None
    bulletin.state, bulletin.decided_at, bulletin.decided_by_name = BulletinState.PROPOSED, None, ""
    session.flush()
    _record(session, actor, "bulletin.split", bulletin, now)
    return bulletin


def lapse(session: Session, *, now: datetime) -> int:
    """Put aside what nobody decided about in time; return how many."""
    late = list(session.scalars(select(Bulletin).where(Bulletin.state == BulletinState.PROPOSED, Bulletin.ends <= now)))
    for bulletin in late:
        bulletin.state, bulletin.decided_at = BulletinState.LAPSED, now
    session.flush()
    chains.close_empty(session, [bulletin.incident_id for bulletin in late], now=now)
    return len(late)


def waiting(session: Session, actor: Actor, *, now: datetime) -> int:
    """Return how many warnings wait for the actor, for the menu."""
    if not actor.may_somewhere(Permission.EMERGENCY):
        return 0
    query = select(Bulletin).where(Bulletin.state == BulletinState.PROPOSED, Bulletin.ends > now).limit(MOST_WAITING)
    return sum(waits_for(session, actor, bulletin, now=now) for bulletin in session.scalars(query))


def waits_for(session: Session, actor: Actor, bulletin: Bulletin, *, now: datetime) -> bool:
    """Return whether the actor is one of those who have to decide, and nobody has for their part."""
    if bulletin.state is not BulletinState.PROPOSED or bulletin.ends <= now or not own_part(actor, bulletin):
        return False
    return told_by(session, actor, bulletin, now=now) is None


def _villages(session: Session, codes: Sequence[str]) -> list[str]:
    """Return the villages at and below some regions; the regions themselves where there are none."""
    found = placing.villages_below(session, codes)
    return found or list(codes)


def _settle(bulletin: Bulletin, state: BulletinState, actor: Actor, now: datetime) -> None:
    bulletin.state, bulletin.decided_at, bulletin.decided_by_name = state, now, actor.name[:60]


def _require(actor: Actor, bulletin: Bulletin) -> None:
    for code in bulletin.regions:
        actor.require(Permission.EMERGENCY, path_of(code))
    if not bulletin.regions:
        actor.require(Permission.EMERGENCY, bulletin.home_path)


def _record(session: Session, actor: Actor, deed: str, bulletin: Bulletin, now: datetime) -> None:
    log.record(
        session,
        actor,
        deed,
        f"bulletin:{bulletin.id}",
        bulletin.home_path,
        now,
        title=bulletin.title,
        number=bulletin.identifier,
    )
