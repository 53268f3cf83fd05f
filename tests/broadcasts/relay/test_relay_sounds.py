"""A relay on a real loudspeaker: it sounds, dies, its fallback sounds; all else interrupts it; it can be stopped."""

import io
from collections.abc import Iterator
from uuid import UUID

import pytest
from builders import BRIDGE, a_draft, the_actor
from livehub import HORN, LiveHub, live_hub, until
from radio import radio
from shoutlab import a_tone, a_wav, tone_seconds
from sqlalchemy import select

from broadcasts.announcements import service
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.pumps import Pumps
from broadcasts.relay.addresses import Relay
from broadcasts.shout import taking
from broadcasts.studio import Studio
from broadcasts.uploads.workshop import Workshop
from hub.core.clock import utc_now

pytestmark = pytest.mark.slow
STATION_HZ, FALLBACK_HZ = 700.0, 440.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[LiveHub]:
    with live_hub(tmp_path_factory.mktemp("relay")) as running:
        yield running


def relayed(hub: LiveHub, url: str, *, fallback: bool) -> UUID:
    """Have a relay written, approved by another and released; return its broadcast."""
    spoken = None
    if fallback:
        take = taking.take_in(hub.runtime.get(Studio).library, hub.runtime.get(Workshop), io.BytesIO(a_wav(a_tone(4))))
        spoken = Spoken(take.sound, "tone", "电台断了")
    draft = a_draft(
        text="电台断了" if fallback else "", audience=Audience((BRIDGE,)), relay=Relay(url, 1), title="县台早新闻"
    )
    rules, timetable = hub.runtime.get(Rules), hub.runtime.get(Timetable)
    with hub.runtime.sessions.begin() as session:
        clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
        made = service.create(session, clerk, draft, now=utc_now())
        service.submit(session, clerk, made.id, spoken, rules=rules, now=utc_now())
        out = service.approve(session, approver, made.id, rules=rules, timetable=timetable, now=utc_now())
        assert out is not None
        released = out.id
    hub.runtime.get(Pumps).kick()
    return released


def heard(hub: LiveHub, hz: float, seconds: float, since: int) -> bool:
    """Whether what the loudspeaker wrote since then holds so much of that tone."""
    total = 0.0
    for path in hub.sounded()[since:]:
        sound, rate = hub.read(path)
        total += tone_seconds(sound, rate, hz=hz)
    return total >= seconds


def delivery(hub: LiveHub, broadcast_id: UUID) -> SpeakerDelivery:
    with hub.runtime.sessions.read() as session:
        return session.get_one(SpeakerDelivery, (broadcast_id, HORN))


def receipts(hub: LiveHub, broadcast_id: UUID) -> list[tuple[str, str]]:
    query = (
        select(PlayReceipt.state, PlayReceipt.reason)
        .where(PlayReceipt.speaker_id == HORN, PlayReceipt.command_id == delivery(hub, broadcast_id).command_id)
        .order_by(PlayReceipt.number)
    )
    with hub.runtime.sessions.read() as session:
        return [(row.state, row.reason) for row in session.execute(query)]


def stop(hub: LiveHub, broadcast_id: UUID) -> None:
    answer = hub.person("approver").post(f"/broadcasts/{broadcast_id}/stop", allow_redirects=False)
    assert answer.status_code == 302
    until(lambda: not hub.sounding, what="silence")


def test_a_station_is_heard_until_it_is_stopped(hub: LiveHub) -> None:
    before = len(hub.sounded())
    with radio() as station:
        out = relayed(hub, station.url, fallback=False)
        until(lambda: heard(hub, STATION_HZ, 2.0, before), what="the station")
        assert delivery(hub, out).state is PlayState.STARTED
        assert delivery(hub, out).used == "stream"
        stop(hub, out)
    until(lambda: delivery(hub, out).state is PlayState.STOPPED, what="the receipt")


def test_when_the_station_dies_the_fallback_sounds(hub: LiveHub) -> None:
    before = len(hub.sounded())
    with radio() as station:
        out = relayed(hub, station.url, fallback=True)
        until(lambda: heard(hub, STATION_HZ, 1.5, before), what="the station")
        station.die()
        until(lambda: heard(hub, FALLBACK_HZ, 3.0, before), 30, what="the fallback")
    until(lambda: not hub.sounding, what="silence")
    until(lambda: delivery(hub, out).state is PlayState.FINISHED, what="the receipt")
    assert ("progress", "stream_lost") in receipts(hub, out), "the record says why it was not the station to the end"
    assert delivery(hub, out).used == "audio"


def test_a_station_that_never_answers_and_no_fallback_is_told(hub: LiveHub) -> None:
    with radio() as station:
        url = station.url
    out = relayed(hub, url, fallback=False)
    until(lambda: delivery(hub, out).state is PlayState.FAILED, 40, what="the receipt")
    assert delivery(hub, out).reason == "stream_lost"


def test_a_shout_interrupts_a_relay_and_it_goes_on_afterwards(hub: LiveHub) -> None:
    before = len(hub.sounded())
    with radio() as station:
        out = relayed(hub, station.url, fallback=False)
        until(lambda: heard(hub, STATION_HZ, 1.5, before), what="the station")
        person = hub.person("secretary")
        boundary = {"recording": ("shout.wav", a_wav(a_tone(2)))}
        made = person.post("/shout/takes", data={"form_key": "a-key-of-this-test", "region": BRIDGE}, files=boundary)
        assert person.post(made.json()["url"] + "/send", allow_redirects=False).status_code == 302
        until(lambda: heard(hub, FALLBACK_HZ, 1.5, before), what="the voice")
        again = len(hub.sounded())
        until(lambda: heard(hub, STATION_HZ, 1.0, again - 1), what="the station again")
        stop(hub, out)
