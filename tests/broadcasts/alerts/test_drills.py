"""A drill: another address, other words, drill loudspeakers alone; nobody's telephone, no list of what was real."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH
from conftest import SetClock
from fakes import FakeWire
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from broadcasts.alerts import drilling, firing
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.last_said import last_said
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Mode
from broadcasts.loudspeaker import listing
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.sender import Sender
from broadcasts.sms.models import SmsRun
from hub.core.actor import SYSTEM
from hub.core.errors import WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers.commands import Play, Stop, ToDevice
from hub.speakers.envelope import KeyRing
from hub.speakers.models import Speaker
from hub.speakers.station import Station

SignIn = Callable[[str], FlaskClient]
DRILL, LIVE = f"s{BRIDGE[-4:]}-1", f"s{BRIDGE[-4:]}-2"
FORM = {"form_key": "a-drill-1", "hazard": "flash_flood", "colour": "red", "area": NORTH, "sms": "1", "speakers": "1"}


@pytest.fixture(autouse=True)
def one_drill_loudspeaker(runtime: Runtime, app: object, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).where(Speaker.id == DRILL).values(drill=True))
        given = ResidentInput("村民", BRIDGE, ("13800001111",))
        residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())


def fired(runtime: Runtime, clock: SetClock) -> None:
    clock.now += timedelta(seconds=3.1)
    firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())


def drilled(runtime: Runtime, clock: SetClock, browser: FlaskClient, **given: str) -> str:
    address = browser.post("/drill", data=FORM | given).location
    fired(runtime, clock)
    return str(address)


def a_sender(runtime: Runtime, clock: SetClock, wire: FakeWire) -> Sender:
    key = runtime.get(Station).key
    return Sender(runtime.sessions, wire, lambda: key, clock=clock, base_url=lambda: "http://hub", lead_s=20)


def test_the_desk_counts_drill_loudspeakers_and_no_telephone(sign_in: SignIn) -> None:
    page = sign_in("duty").get(f"/drill?hazard=flash_flood&colour=red&area={NORTH}").text
    numbers = re.search(r'class="reach">(.*?)</div></div>', page, re.DOTALL)
    assert numbers is not None
    assert re.findall(r"<b>(\d+)</b>", numbers[1]) == ["1", "0", "0"]
    assert "开始演练" in page
    assert "立即播发" not in page
    assert 'class="urgent drill"' in page
    live = sign_in("duty").get(f"/emergency?hazard=flash_flood&colour=red&area={NORTH}").text
    assert 'data-expect="3"' in live
    assert "urgent drill" not in live
    assert "开始演练" not in live


def test_on_no_path_does_a_drill_reach_a_live_loudspeaker_or_a_telephone(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    wire = FakeWire()
    sender = a_sender(runtime, clock, wire)
    duty = sign_in("duty")
    address = drilled(runtime, clock, duty)
    sender.step()
    sender.came_back([DRILL, LIVE, f"s{HILL[-4:]}-1"])  # whoever comes back
    for seconds in (6, 31, 121):  # and again to the silent
        clock.now += timedelta(seconds=seconds)
        sender.step()
    duty.post(f"{address}/take-back")
    sender.step()
    duty.post(f"{address}/all-clear")
    duty.post(f"{address}/stop")
    sender.came_back([DRILL, LIVE])
    sender.step()
    key = runtime.get(Station).key
    commands = wire.commands(KeyRing(((key.kid, key.public()),)))
    assert len([c for _, c in commands if isinstance(c, Play)]) >= 2
    for topic, command in commands:
        assert isinstance(command, Play | Stop)
        assert isinstance(command.to, ToDevice)
        assert command.to.device == DRILL
        assert DRILL in topic
        assert not isinstance(command, Play) or command.mode == "drill"
    listing.write_all(runtime.sessions, now=clock())
    with runtime.sessions.read() as session:
        assert set(session.scalars(select(SpeakerDelivery.speaker_id))) == {DRILL}
        assert session.scalar(select(func.count()).select_from(SmsRun)) == 0
        assert {order.mode for order in session.scalars(select(PlayOrder))} == {"drill"}


def test_a_live_emergency_does_not_mean_drill_loudspeakers(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    sign_in("duty").post("/emergency", data=FORM | {"speakers": "3"})
    fired(runtime, clock)
    listing.write_all(runtime.sessions, now=clock())
    with runtime.sessions.read() as session:
        assert DRILL not in set(session.scalars(select(SpeakerDelivery.speaker_id)))


@pytest.mark.parametrize(
    ("kind", "mode", "sms"),
    [(Kind.DRILL, "live", False), (Kind.DRILL, "drill", True), (Kind.EMERGENCY, "drill", False)],
)
def test_nothing_half_a_drill_is_released(runtime: Runtime, clock: SetClock, kind: Kind, mode: str, sms: bool) -> None:
    order = delivery.Order(
        source="test:half",
        kind=kind,
        title="演练",
        text="演练",
        sms_text="演练",
        audience=Audience((NORTH,), sms=sms),
        home_path="",
        sound=Sound("a" * 64, 1000, 1000),
        repeats=1,
        volume=None,
        starts_at=clock(),
        expires_at=clock() + timedelta(minutes=5),
        mode=mode,
    )
    with runtime.sessions.begin() as session, pytest.raises(WrongState, match="drill_must_stay_inside"):
        delivery.release(session, SYSTEM, order, rules=runtime.get(Rules), now=clock())


def test_it_says_that_it_is_a_drill_first_and_last(runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    address = drilled(runtime, clock, sign_in("duty"))
    with runtime.sessions.read() as session:
        alert = session.scalars(select(Alert)).one()
    for text in (alert.text, alert.correction["speech"], alert.all_clear["speech"]):
        assert text.startswith("演练，演练，演练。")
        assert text.endswith("演练，演练，演练。")
        assert "不是演" not in text
    assert (alert.mode, alert.sms_text, alert.audience["sms"]) == (Mode.DRILL, "", False)
    assert "演练" in sign_in("duty").get(address).text


def test_a_drill_stands_at_its_own_address_and_in_its_own_list_alone(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    address = drilled(runtime, clock, duty)
    key = address.rpartition("/")[2]
    assert duty.get(f"/emergency/{key}").status_code == 404
    for verb in ("stop", "cancel", "take-back", "all-clear"):
        assert duty.post(f"/emergency/{key}/{verb}").status_code == 404
    assert "山洪" not in duty.get("/broadcasts").text
    assert "山洪" not in duty.get("/incidents").text
    assert "山洪" in duty.get("/drill/log").text
    live = duty.post("/emergency", data=FORM | {"form_key": "a-live-1", "speakers": "3"}).location.rpartition("/")[2]
    assert duty.get(f"/drill/{live}").status_code == 404
    assert duty.post(f"/drill/{live}/cancel").status_code == 404


def test_the_sheet_says_how_long_each_step_took_and_what_it_comes_to(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty = sign_in("duty")
    opened = str(round(clock().timestamp()))
    clock.now += timedelta(seconds=30)
    wrong = duty.post("/drill", data=FORM | {"opened": opened, "speakers": "4"})
    assert wrong.status_code == 409
    assert 'name="mistyped" value="1"' in wrong.text
    address = drilled(runtime, clock, duty, opened=opened, mistyped="1")
    listing.write_all(runtime.sessions, now=clock())
    with runtime.sessions.begin() as session:
        session.execute(update(SpeakerDelivery).values(started_at=clock() + timedelta(seconds=2)))
    duty.post(f"{address}/all-clear")
    with runtime.sessions.read() as session:
        alert = session.scalars(select(Alert).where(Alert.follows_id.is_(None))).one()
        found = drilling._sheet(session, alert)
    assert found.points is not None
    assert (found.points.deciding, found.points.number, found.points.sound, found.points.ending) == (40, 10, 20, 20)
    assert [step.key for step in found.steps][:3] == ["opened", "pressed", "fired"]
    page = duty.get(f"{address}/sheet").text
    assert "<b>90</b>" in page
    assert sign_in("strange_duty").get(f"{address}/sheet").status_code == 404


def test_only_those_with_the_right_may_drill(runtime: Runtime, sign_in: SignIn) -> None:
    for login in ("clerk", "viewer", "secretary"):
        assert sign_in(login).get("/drill").status_code == 403
        assert sign_in(login).post("/drill", data=FORM).status_code == 403
    refused = sign_in("strange_duty").post("/drill", data=FORM | {"area": FERRY, "speakers": "0"})
    assert refused.status_code == 422  # nobody practises there
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).where(Alert.state == AlertState.ARMED)) == 0
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 0


def test_a_resident_who_asks_what_was_said_is_never_told_a_drill(
    runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    drilled(runtime, clock, sign_in("duty"))
    village, later = path_of(BRIDGE), clock() + timedelta(minutes=5)
    with runtime.sessions.begin() as session:
        assert session.scalars(select(Broadcast.kind)).all() == [Kind.DRILL]
        assert last_said(session, village, later) is None
        session.execute(update(Broadcast).values(kind=Kind.EMERGENCY))
        assert last_said(session, village, later) is not None, "place, time and words would have done"
