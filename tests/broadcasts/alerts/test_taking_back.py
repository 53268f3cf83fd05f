"""An alert is taken back on exactly the loudspeakers and phones that got it or may have got it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, HILL, NORTH
from conftest import SetClock
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from broadcasts.alerts import ending, firing
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act
from broadcasts.loudspeaker import heard, listing
from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.states import Lane, MessageState
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]
B1, B2, H1, H2 = (f"s{code[-4:]}-{n}" for code in (BRIDGE, HILL) for n in (1, 2))
FORM = {"form_key": "taking-back-1", "hazard": "cold", "colour": "red", "area": NORTH, "sms": "1", "speakers": "4"}


@pytest.fixture
def address(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> str:
    """An emergency that has gone out to four loudspeakers and five phones, and nobody has said anything yet."""
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).values(online=True, online_since=clock() - timedelta(days=1)))
        for n in range(5):
            given = ResidentInput(f"村民{n}", BRIDGE, (f"1380000111{n}",))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
    found = sign_in("duty").post("/emergency", data=FORM).location
    fired(runtime, clock)
    with runtime.sessions.begin() as session:
        session.execute(update(PlayOrder).values(state=OrderState.SENT, sent_at=clock()))
        expand_next(session, Lane.EMERGENCY, now=clock())
    return found


def fired(runtime: Runtime, clock: SetClock) -> None:
    clock.now += timedelta(seconds=3.1)
    firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())
    listing.write_all(runtime.sessions, now=clock())


def say(runtime: Runtime, speaker: str, state: PlayState, reason: str = "", *, started: bool = False) -> None:
    with runtime.sessions.begin() as session:
        row = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.speaker_id == speaker)).one()
        row.state, row.reason = state, reason
        row.started_at = row.changed_at if started else None


def told(runtime: Runtime, act: Act = Act.CORRECTION) -> set[str]:
    """Who gets the correction, over all its broadcasts."""
    with runtime.sessions.read() as session:
        alert = session.scalars(select(Alert).where(Alert.act == act)).one()
        query = select(SpeakerDelivery.speaker_id).join(Broadcast, Broadcast.id == SpeakerDelivery.broadcast_id)
        return set(session.scalars(query.where(Broadcast.source.startswith(f"alert:{alert.id}"))))


def take_back(runtime: Runtime, clock: SetClock, browser: FlaskClient, address: str) -> str:
    where = browser.post(f"{address}/take-back").location
    listing.write_all(runtime.sessions, now=clock())
    return where


def test_a_correction_reaches_exactly_who_heard_it_or_may_have(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    say(runtime, B1, PlayState.FINISHED, started=True)
    say(runtime, B2, PlayState.REFUSED, "wrong_mode")
    say(runtime, H1, PlayState.SENT)
    say(runtime, H2, PlayState.SENT)
    with runtime.sessions.begin() as session:  # away since before it was sent, and not a word since
        session.execute(update(Speaker).where(Speaker.id == H2).values(online=False))
    where = take_back(runtime, clock, sign_in("duty"), address)
    assert told(runtime) == {B1, H1}
    assert "更正" in sign_in("duty").get(where).text


@pytest.mark.parametrize(
    ("state", "reason", "started", "gets_it"),
    [
        (PlayState.STARTED, "", True, True),
        (PlayState.INTERRUPTED, "", True, True),
        (PlayState.STOPPED, "", True, True),
        (PlayState.FAILED, "no_end", True, True),
        (PlayState.FAILED, "no_receipt", False, True),
        (PlayState.RECEIVED, "", False, True),
        (PlayState.FETCHED, "", False, True),
        (PlayState.STOPPED, "stopped_before", False, False),
        (PlayState.EXPIRED, "", False, False),
        (PlayState.FAILED, "bad_audio", False, False),
    ],
)
def test_each_thing_a_loudspeaker_may_have_said(
    runtime: Runtime, clock: SetClock, address: str, state: PlayState, reason: str, started: bool, gets_it: bool
) -> None:
    say(runtime, B1, state, reason, started=started)
    with runtime.sessions.read() as session:
        broadcast_id = session.scalars(select(Broadcast.id)).one()
        assert (B1 in heard.who_heard(session, broadcast_id).all) is gets_it


def test_text_messages_go_to_exactly_the_numbers_that_got_it_or_may_have(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    states = (
        MessageState.DELIVERED,
        MessageState.UNKNOWN,
        MessageState.SUBMITTING,
        MessageState.CREATED,
        MessageState.FAILED,
    )
    with runtime.sessions.begin() as session:
        messages = session.scalars(select(SmsMessage).order_by(SmsMessage.id)).all()
        for message, state in zip(messages, states, strict=True):
            message.state = state
        got = {message.masked for message in messages[:3]}
    take_back(runtime, clock, sign_in("duty"), address)
    with runtime.sessions.read() as session:
        alert = session.scalars(select(Alert).where(Alert.act == Act.CORRECTION)).one()
        second = session.scalars(select(SmsMessage).where(SmsMessage.broadcast_id == alert.broadcast_id)).all()
        waiting = session.scalars(select(SmsMessage).where(SmsMessage.state == MessageState.CANCELLED)).all()
    assert {message.masked for message in second} == got
    assert {message.state for message in second} == {MessageState.CREATED}
    assert len(waiting) == 1  # the one that had not left is never sent


def test_it_is_stopped_and_corrected_in_one_press_and_twice_is_once(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    say(runtime, B1, PlayState.STARTED, started=True)
    first = take_back(runtime, clock, sign_in("duty"), address)
    again = take_back(runtime, clock, sign_in("duty"), address)
    other = take_back(runtime, clock, sign_in("approver"), address)
    assert first == again == other
    with runtime.sessions.read() as session:
        alerts = session.scalars(select(Alert).order_by(Alert.armed_at)).all()
        original = session.scalars(select(Broadcast).order_by(Broadcast.released_at)).first()
        correction = session.get(PlayOrder, alerts[1].broadcast_id)
    assert [alert.act for alert in alerts] == [Act.ALERT, Act.CORRECTION]
    assert alerts[1].follows_id == alerts[0].id
    assert alerts[1].incident_id == alerts[0].incident_id
    assert original is not None
    assert original.state is BroadcastState.STOPPED
    assert correction is not None
    assert (correction.priority, correction.severity, correction.pack) == (3, "red", "")
    assert alerts[1].text == alerts[0].correction["speech"]


def test_after_a_correction_there_is_nothing_to_clear(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    duty = sign_in("duty")
    take_back(runtime, clock, duty, address)
    duty.post(f"{address}/all-clear")
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).where(Alert.act == Act.ALL_CLEAR)) == 0


def test_an_all_clear_goes_where_the_alert_was_heard(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    for speaker in (B1, H1):
        say(runtime, speaker, PlayState.FINISHED, started=True)
    for speaker in (B2, H2):
        say(runtime, speaker, PlayState.EXPIRED)
    sign_in("duty").post(f"{address}/all-clear")
    listing.write_all(runtime.sessions, now=clock())
    assert told(runtime, Act.ALL_CLEAR) == {B1, H1}


def test_who_turns_out_to_have_heard_it_after_all_is_told_then_and_once(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    for speaker in (B1, B2, H1):
        say(runtime, speaker, PlayState.FINISHED, started=True)
    say(runtime, H2, PlayState.EXPIRED)
    take_back(runtime, clock, sign_in("duty"), address)
    assert told(runtime) == {B1, B2, H1}
    with runtime.sessions.begin() as session:
        first = session.scalars(select(Alert).where(Alert.act == Act.ALERT)).one()
        row = session.get_one(SpeakerDelivery, (first.broadcast_id, H2))
        row.started_at = clock()
    rules = runtime.get(Rules)
    assert [ending.reach_late_hearers(runtime.sessions, rules=rules, now=clock()) for _ in range(1)] == [1]
    listing.write_all(runtime.sessions, now=clock())
    assert told(runtime) == {B1, B2, H1, H2}
    assert ending.reach_late_hearers(runtime.sessions, rules=rules, now=clock()) == 0


def test_nobody_is_told_twice_while_it_is_not_written_down_yet_who_was_told(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    for speaker in (B1, B2, H1, H2):
        say(runtime, speaker, PlayState.FINISHED, started=True)
    sign_in("duty").post(f"{address}/take-back")
    rules = runtime.get(Rules)
    assert ending.reach_late_hearers(runtime.sessions, rules=rules, now=clock()) == 0
    listing.write_all(runtime.sessions, now=clock())
    assert ending.reach_late_hearers(runtime.sessions, rules=rules, now=clock()) == 0
    assert told(runtime) == {B1, B2, H1, H2}
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 2


def test_stopping_a_correction_stops_it_for_late_hearers_too_and_no_further_one_is_told(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    say(runtime, B1, PlayState.FINISHED, started=True)
    for speaker in (B2, H1, H2):
        say(runtime, speaker, PlayState.EXPIRED)
    duty = sign_in("duty")
    correction = take_back(runtime, clock, duty, address)
    rules = runtime.get(Rules)
    _turned_out_to_have_heard_it(runtime, B2, clock)
    assert ending.reach_late_hearers(runtime.sessions, rules=rules, now=clock()) == 1
    listing.write_all(runtime.sessions, now=clock())
    with runtime.sessions.begin() as session:  # it is over for all but the late one: that can still be stopped
        alert = session.scalars(select(Alert).where(Alert.act == Act.CORRECTION)).one()
        session.get_one(Broadcast, alert.broadcast_id).state = BroadcastState.DONE
    with_a_stop = duty.get(correction).text
    assert f'action="{correction}/stop"' in with_a_stop
    assert correction in duty.get("/emergency").text, "the desk shows what is on air"
    duty.post(f"{correction}/stop")
    _turned_out_to_have_heard_it(runtime, H1, clock)
    assert ending.reach_late_hearers(runtime.sessions, rules=rules, now=clock()) == 0
    assert told(runtime) == {B1, B2}
    with runtime.sessions.read() as session:
        assert BroadcastState.GOING not in set(session.scalars(select(Broadcast.state)))
    assert f'action="{correction}/stop"' not in duty.get(correction).text


def _turned_out_to_have_heard_it(runtime: Runtime, speaker: str, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        first = session.scalars(select(Alert).where(Alert.act == Act.ALERT)).one()
        session.get_one(SpeakerDelivery, (first.broadcast_id, speaker)).started_at = clock()


def test_nothing_is_taken_back_that_never_went_out(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    duty = sign_in("duty")
    address = duty.post("/emergency", data=FORM).location
    duty.post(f"{address}/take-back")
    with runtime.sessions.read() as session:
        assert [alert.state for alert in session.scalars(select(Alert))] == [AlertState.ARMED]


def test_strangers_and_onlookers_take_nothing_back(
    runtime: Runtime, clock: SetClock, sign_in: SignIn, address: str
) -> None:
    assert sign_in("strange_duty").post(f"{address}/take-back").status_code == 404
    assert sign_in("viewer").post(f"{address}/take-back").status_code == 403
    assert UUID(address.rpartition("/")[2])
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == 1


def test_a_graver_alert_ends_the_milder_one_it_covers_and_follows_it(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    duty.post("/emergency", data=FORM | {"colour": "orange", "area": BRIDGE, "speakers": "2"})
    fired(runtime, clock)
    duty.post("/emergency", data=FORM | {"form_key": "taking-back-2"})
    fired(runtime, clock)
    with runtime.sessions.read() as session:
        milder, graver = session.scalars(select(Alert).order_by(Alert.armed_at)).all()
        states = [b.state for b in session.scalars(select(Broadcast).order_by(Broadcast.released_at))]
    assert (milder.state, graver.act, graver.follows_id) == (AlertState.STOPPED, Act.UPDATE, milder.id)
    assert states == [BroadcastState.STOPPED, BroadcastState.GOING]
    assert milder.incident_id == graver.incident_id


def test_grave_ones_are_repeated_until_their_end_and_milder_ones_are_not(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    duty.post("/emergency", data=FORM)
    duty.post("/emergency", data=FORM | {"form_key": "taking-back-3", "hazard": "flash_flood", "colour": "yellow"})
    fired(runtime, clock)
    with runtime.sessions.read() as session:
        orders = {order.severity: order for order in session.scalars(select(PlayOrder))}
    red, yellow = orders["red"], orders["yellow"]
    lasts = red.repeat * (red.audio_ms + red.gap_ms)
    assert 480_000 <= lasts <= 660_000
    assert (yellow.repeat, yellow.gap_ms) == (1, 0)
    assert Audience((NORTH,)).paths
