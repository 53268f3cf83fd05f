"""Call the people responsible for every place of an alert, one after the other, until somebody confirms."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling.models import Call, CallState, CallTry, Errand, ErrandKind
from broadcasts.alerts.calling.tokens import token_of
from broadcasts.alerts.hazards import FOLDER, wording
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Act, Colour, Mode
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState
from broadcasts.sms.sending import direct
from broadcasts.sms.settings import SmsSettings
from hub.core.db import Sessions, like_below
from hub.duty import service as duty
from hub.duty.models import DutyPerson
from hub.regions import service as regions
from hub.regions.models import Region
from hub.regions.tree import Level, codes_in, level_of, path_of
from hub.speakers.models import Speaker

GRAVE: Final = (Colour.RED, Colour.ORANGE)
CALLED_FOR: Final = (Act.ALERT, Act.UPDATE)
RECENT: Final = timedelta(hours=6)
"""Older alerts call nobody: the hub was away, and it is no news any more."""
SILENT_AFTER: Final = timedelta(seconds=60)
"""So long after it fired a loudspeaker that has not sounded counts as silent."""
MOST_SPOTS: Final = 5
"""So many silent loudspeakers of a village are named; the others are counted."""
MOST_NAMED: Final = 3
"""So many places stand in a message to the county."""
LOOKED_AT_FOR: Final = timedelta(minutes=20)


@dataclass(frozen=True)
class Calling:
    """What calls are made with: how long to wait, how to write, and where the links lead."""

    wait: timedelta
    errand_within: timedelta
    sms: SmsSettings
    key: bytes
    base_url: Callable[[], str]


@cache
def texts() -> dict[str, str]:
    """Return what people on the roster are written."""
    return tomllib.loads((FOLDER / "calls.toml").read_text(encoding="utf-8"))


def step(sessions: Sessions, calling: Calling, *, now: datetime) -> int:
    """Do whatever is due; return how many people were called. Every place in a unit of work of its own."""
    with sessions.read() as session:
        fresh = _uncalled(session, now)
        due = session.scalars(
            select(Call.id).where(Call.state == CallState.CALLING, Call.next_at <= now).order_by(Call.next_at)
        ).all()
    for alert_id in fresh:
        with sessions.begin() as session:
            _open_calls(session, alert_id, now)
    with sessions.read() as session:
        if fresh:
            due = session.scalars(
                select(Call.id).where(Call.state == CallState.CALLING, Call.next_at <= now).order_by(Call.next_at)
            ).all()
    called = 0
    for call_id in due:
        with sessions.begin() as session:
            called += _call_next(session, call_id, calling, now)
    return called


def _uncalled(session: Session, now: datetime) -> Sequence[UUID]:
    query = select(Alert.id).where(
        Alert.state == AlertState.FIRED,
        Alert.mode == Mode.LIVE,
        Alert.act.in_(CALLED_FOR),
        Alert.fired_at > now - RECENT,
        ~exists().where(Call.alert_id == Alert.id),
    )
    return session.scalars(query.order_by(Alert.fired_at)).all()


def _open_calls(session: Session, alert_id: UUID, now: datetime) -> None:
    """One call for every village that is meant and for every township it touches, and the county is told.

    Yellow and blue tell the township alone.
    """
    alert = session.get_one(Alert, alert_id, with_for_update=True)
    if session.scalar(select(Call.id).where(Call.alert_id == alert.id).limit(1)) is not None:
        return
    paths = Audience.from_json(alert.audience).paths
    grave = alert.colour in GRAVE
    places = _places(session, paths, levels=(Level.VILLAGE, Level.TOWNSHIP) if grave else (Level.TOWNSHIP,))
    if grave:
        places = sorted({*places, *(codes_in(path)[0] for path in paths)})
    for code in places:
        session.add(
            Call(
                alert_id=alert.id,
                incident_id=alert.incident_id,
                region_code=code,
                region_path=path_of(code),
                opened_at=now,
                next_at=now,
            )
        )


def _places(session: Session, paths: Sequence[str], *, levels: Sequence[Level]) -> list[str]:
    below = or_(*(Region.path.like(like_below(path)) for path in paths))
    found = set(session.scalars(select(Region.code).where(below, Region.level.in_(levels))))
    if Level.TOWNSHIP in levels:
        found |= {codes_in(path)[1] for path in paths if len(codes_in(path)) > 1}
    return sorted(found) or [codes_in(path)[-1] for path in paths]


def _call_next(session: Session, call_id: UUID, calling: Calling, now: datetime) -> bool:
    call = session.get_one(Call, call_id, with_for_update=True)
    alert = session.get_one(Alert, call.alert_id)
    if call.state is not CallState.CALLING or call.next_at > now:
        return False
    if _is_over(session, alert):
        call.state = CallState.ENDED
        return False
    tried = session.scalars(select(CallTry).where(CallTry.call_id == call.id)).all()
    asks = _asks(call, alert)
    if tried and asks:
        _open_errand(session, alert, call, calling, now)
    person = _next_person(session, call, tried, now)
    if person is None:
        call.state = CallState.NOBODY if asks else CallState.ENDED
        if asks:
            _open_errand(session, alert, call, calling, now)
        return False
    one = _note_try(session, call, person, len(tried) + 1, now)
    _write(session, call, alert, (one, person), calling, now)
    call.next_at = now + calling.wait
    if not asks:
        call.state = CallState.ENDED
    return True


def _asks(call: Call, alert: Alert) -> bool:
    """Return whether somebody has to answer: where it is grave, in villages and townships. The county is only told."""
    return alert.colour in GRAVE and level_of(call.region_code) is not Level.COUNTY


def _next_person(session: Session, call: Call, tried: Sequence[CallTry], now: datetime) -> DutyPerson | None:
    """Return who is called next: nobody twice, and nobody by a number that was called already."""
    known = {one.person_id for one in tried} | {one.phone_index for one in tried}
    people = duty.on_call(session, call.region_path, now=now)
    return next((p for p in people if p.id not in known and p.phone_index not in known), None)


def _note_try(session: Session, call: Call, person: DutyPerson, turn: int, now: datetime) -> CallTry:
    one = CallTry(
        call_id=call.id,
        turn=turn,
        person_id=person.id,
        name=person.name,
        title=person.title,
        region_path=person.region_path,
        phone_index=person.phone_index,
        masked=person.masked,
        account_id=person.account_id,
        sent_at=now,
    )
    session.add(one)
    session.flush()
    return one


def _write(
    session: Session, call: Call, alert: Alert, who: tuple[CallTry, DutyPerson], calling: Calling, now: datetime
) -> None:
    one, person = who
    direct.write_to(
        session,
        run_id=one.id,
        text=_text(session, call, alert, who, calling),
        phone=(person.phone_index, person.sealed, person.masked),
        person_id=person.id,
        region_path=person.region_path,
        expires_at=now + timedelta(hours=1),
        settings=calling.sms,
        now=now,
    )


def _text(session: Session, call: Call, alert: Alert, who: tuple[CallTry, DutyPerson], calling: Calling) -> str:
    one, person = who
    if level_of(call.region_code) is Level.COUNTY:
        codes = Audience.from_json(alert.audience).regions
        known = regions.names(session, set(codes))
        place = wording().listed([known.get(code, code) for code in codes[:MOST_NAMED]])
        link = f"{calling.base_url()}/emergency/{alert.id}"
        return texts()["county"].format(title=alert.title, place=place, link=link)
    own = person.region_path == call.region_path
    name = "notice" if not _asks(call, alert) else "call" if own or one.turn == 1 else "above"
    place = regions.names(session, {call.region_code}).get(call.region_code, "")
    link = f"{calling.base_url()}/c/{token_of(one.id, calling.key)}"
    return texts()[name].format(title=alert.title, place=place, link=link)


def _is_over(session: Session, alert: Alert) -> bool:
    """Return whether the alert was taken back or followed by an all-clear: then nobody is woken any more."""
    ended = select(Alert.id).where(Alert.follows_id == alert.id, Alert.act.in_([Act.CORRECTION, Act.ALL_CLEAR]))
    return session.scalar(ended.limit(1)) is not None


def _open_errand(session: Session, alert: Alert, call: Call, calling: Calling, now: datetime) -> None:
    known = select(Errand.id).where(
        Errand.alert_id == alert.id, Errand.kind == ErrandKind.PHONE, Errand.subject == call.region_code
    )
    if session.scalar(known) is not None:
        return
    session.add(
        Errand(
            alert_id=alert.id,
            incident_id=alert.incident_id,
            kind=ErrandKind.PHONE,
            subject=call.region_code,
            region_code=call.region_code,
            region_path=call.region_path,
            name=regions.names(session, {call.region_code}).get(call.region_code, call.region_code),
            opened_at=now,
            due_at=now + calling.errand_within,
        )
    )
    session.flush()


def note_silent(sessions: Sessions, calling: Calling, *, now: datetime) -> int:
    """Make an errand of every village with loudspeakers that were meant and have not sounded; return how many are new.

    One that sounds later keeps its errand: people may have been missed in between. Only a confirmation closes it.
    """
    with sessions.read() as session:
        alerts = session.scalars(
            select(Alert).where(
                Alert.state.in_([AlertState.FIRED, AlertState.STOPPED]),
                Alert.mode == Mode.LIVE,
                Alert.act.in_(CALLED_FOR),
                Alert.colour.in_(GRAVE),
                Alert.broadcast_id.is_not(None),
                Alert.fired_at < now - SILENT_AFTER,
                Alert.fired_at > now - LOOKED_AT_FOR,
            )
        ).all()
        owed = {
            alert.id: places
            for alert in alerts
            if not _is_over(session, alert) and (places := _silent_places(session, alert))
        }
    made = 0
    for alert_id, places in owed.items():
        with sessions.begin() as session:
            alert = session.get_one(Alert, alert_id, with_for_update=True)
            made += sum(_knock(session, alert, code, calling, now) for code in places)
    return made


def _silent_places(session: Session, alert: Alert) -> list[str]:
    """Return the codes of places with silent loudspeakers that have no errand yet."""
    known = select(Errand.subject).where(Errand.alert_id == alert.id, Errand.kind == ErrandKind.KNOCK)
    query = select(Speaker.region_code).distinct().join(SpeakerDelivery, SpeakerDelivery.speaker_id == Speaker.id)
    query = query.where(_is_silent(alert), Speaker.region_code.not_in(known))
    return list(session.scalars(query.order_by(Speaker.region_code)))


def _is_silent(alert: Alert) -> ColumnElement[bool]:
    """Return the condition for loudspeakers that were meant, have not sounded, and from which none can be expected."""
    taken_out = [PlayState.STOPPED, PlayState.FINISHED]
    return and_(
        SpeakerDelivery.broadcast_id == alert.broadcast_id,
        SpeakerDelivery.started_at.is_(None),
        SpeakerDelivery.state.not_in(taken_out),
        or_(
            Speaker.online.is_(False),
            SpeakerDelivery.state.in_([state for state in FINAL if state not in taken_out]),
        ),
    )


def _knock(session: Session, alert: Alert, code: str, calling: Calling, now: datetime) -> int:
    rows = session.execute(
        select(Speaker.name, Speaker.place, Speaker.households)
        .join(SpeakerDelivery, SpeakerDelivery.speaker_id == Speaker.id)
        .where(_is_silent(alert), Speaker.region_code == code)
        .order_by(Speaker.id)
    ).all()
    if not rows:
        return 0
    place = regions.names(session, {code}).get(code, code)
    spots = [row.place or row.name for row in rows]
    more = f" +{len(spots) - MOST_SPOTS}" if len(spots) > MOST_SPOTS else ""
    households = sum(row.households or 0 for row in rows)
    session.add(
        Errand(
            alert_id=alert.id,
            incident_id=alert.incident_id,
            kind=ErrandKind.KNOCK,
            subject=code,
            region_code=code,
            region_path=path_of(code),
            name=f"{place} {wording().listed(spots[:MOST_SPOTS])}{more}"[:120],
            households=households or None,
            opened_at=now,
            due_at=now + calling.errand_within,
        )
    )
    session.flush()
    return 1
