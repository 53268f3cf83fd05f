"""The pages about loudspeakers, as a browser sees them."""

import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from urllib.parse import unquote

import builders
import pytest
from builders import BRIDGE, FERRY, HILL, NORTH
from carelab import Recorder, plugged, watch
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.core.runtime import Runtime
from hub.speakers.broker.accounts import check_password, read_accounts
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.envelope import KeyRing
from hub.speakers.history import SpeakerEvent, SpeakerHistory
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Configure, SetVolume, ToDevice, read_command
from hub.speakers.station import KEY_ID, Station

SignIn = Callable[[str], FlaskClient]
FORM = {"speaker_id": "bridge-3", "name": "小学旁", "region_code": BRIDGE, "broker_host": "192.168.1.10"}


@pytest.fixture
def station(runtime: Runtime, app: OpenAPI) -> Recorder:
    return plugged(runtime)


def the_speaker(runtime: Runtime, speaker_id: str = "s1001-1") -> Speaker:
    with runtime.sessions.read() as session:
        return session.get_one(Speaker, speaker_id)


def known(runtime: Runtime, speaker_id: str) -> bool:
    with runtime.sessions.read() as session:
        return session.get(Speaker, speaker_id) is not None


def change(runtime: Runtime, speaker_id: str, **values: object) -> None:
    with runtime.sessions.begin() as session:
        speaker = session.get_one(Speaker, speaker_id)
        for name, value in values.items():
            setattr(speaker, name, value)


def listed(page: str) -> list[str]:
    return re.findall(r'<a href="/speakers/([^"?]+)"><b>', page)


def test_the_list_counts_and_puts_the_failing_first(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, "s1002-2", online=False, online_since=NOON)
    page = sign_in("clerk").get("/speakers").text
    assert "在线 3 / 共 4" in page
    assert listed(page) == ["s1002-2", "s1001-1", "s1001-2", "s1002-1"]
    assert "11月23日 10:00 起离线" in page


def test_the_menu_counts_what_needs_somebody(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    line = re.compile(r'href="/speakers"[^>]*>.*?</a>', re.DOTALL)
    quiet = line.search(client.get("/residents").text)
    long_ago = NOON - timedelta(hours=2)
    change(runtime, "s1002-2", online=False, online_since=long_ago)
    change(runtime, "s2001-2", online=False, online_since=long_ago)
    change(runtime, "s1001-2", online=False, online_since=NOON - timedelta(minutes=2))
    plugged(runtime)
    watch(runtime).step()
    loud = line.search(client.get("/residents").text)
    assert quiet is not None
    assert loud is not None
    assert "count" not in quiet[0]
    assert '<b class="count">1<' in loud[0], "the south is none of the clerk's business, and two minutes are no alarm"


def test_filters_by_village_state_and_name(sign_in: SignIn, runtime: Runtime) -> None:
    change(runtime, "s1001-2", online=False)
    change(runtime, "s1002-1", name="晒坝")
    client = sign_in("clerk")
    assert listed(client.get(f"/speakers?region={HILL}").text) == ["s1002-1", "s1002-2"]
    assert listed(client.get("/speakers?offline=1").text) == ["s1001-2"]
    assert listed(client.get("/speakers?q=晒").text) == ["s1002-1"]
    empty = client.get("/speakers?q=nothing-like-it").text
    assert "没有这样的喇叭" in empty


def test_paging_shows_everybody_once_and_keeps_the_filter(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        for n in range(60):
            builders.a_speaker(session, f"x{n:02}", region=HILL)
    client = sign_in("clerk")
    first = client.get(f"/speakers?region={HILL}").text
    onward = unescape(re.findall(r'href="([^"]+)" rel="next"', first)[0])
    second = client.get(onward).text
    assert f"region={HILL}" in onward
    assert sorted(listed(first) + listed(second)) == sorted([f"x{n:02}" for n in range(60)] + ["s1002-1", "s1002-2"])
    assert 'rel="next"' not in second


@pytest.mark.parametrize("after", ["x", "9.a", "2.", "0.%27"])
def test_a_made_up_page_is_no_error(sign_in: SignIn, after: str) -> None:
    assert sign_in("clerk").get(f"/speakers?after={after}").status_code == 200


def test_one_page_says_in_words_how_it_is(sign_in: SignIn, runtime: Runtime) -> None:
    change(
        runtime,
        "s1001-1",
        online_since=NOON,
        seen_at=NOON + timedelta(minutes=3),
        activity="playing",
        version="fw-7",
        clock_offset_ms=-180_000,
        fault="fault",
    )
    page = sign_in("clerk").get("/speakers/s1001-1").text
    for words in ("北镇 桥村", "11月23日 10:00 起在线", "11月23日 10:03", "正在响", "fw-7", "慢 3 分钟", "报了故障"):
        assert words in page


@pytest.mark.parametrize(
    ("offset", "words"),
    [(None, "还不知道"), (1_200, "准"), (5_000, "快 5 秒"), (-7_200_000, "慢 2 小时"), (864_000_000, "快 10 天")],
)
def test_the_clock_is_told_in_words(sign_in: SignIn, runtime: Runtime, offset: int | None, words: str) -> None:
    change(runtime, "s1001-1", clock_offset_ms=offset)
    assert f"<dd>{words}</dd>" in sign_in("clerk").get("/speakers/s1001-1").text


def test_the_state_alone_is_polled_and_unchanged_news_cost_nothing(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    fragment = client.get("/speakers/s1001-1", headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<div id="state"')
    again = client.get("/speakers/s1001-1", headers={"HX-Request": "true", "If-None-Match": fragment.headers["ETag"]})
    assert (again.status_code, again.text) == (304, "")


def test_the_last_reports_are_shown_when_a_room_above_provides_them(sign_in: SignIn, runtime: Runtime) -> None:
    def latest(session: Session, actor: Actor, speaker_id: str) -> list[SpeakerEvent]:
        return [SpeakerEvent(NOON, f"开会 {speaker_id}", "播完", "ok", "/b/1")]

    runtime.provide(SpeakerHistory, SpeakerHistory(latest))
    page = sign_in("clerk").get("/speakers/s1001-1").text
    assert '<a href="/b/1">开会 s1001-1</a>' in page


def test_a_new_volume_goes_signed_to_the_device_and_into_the_table(
    sign_in: SignIn, runtime: Runtime, station: Recorder
) -> None:
    answer = sign_in("clerk").post("/speakers/s1001-1/volume", data={"volume": "35"}, follow_redirects=True)
    assert "音量改成 35 了" in answer.text
    assert the_speaker(runtime).volume == 35
    [(topic, payload, retain)] = station.sent
    command = read_command(payload, KeyRing.of({KEY_ID: station.key.public()}))
    assert isinstance(command, SetVolume)
    assert (topic, retain, command.level, command.to) == ("cx/1/dev/s1001-1/cmd", False, 35, ToDevice(device="s1001-1"))


def test_each_volume_command_has_a_higher_number_than_the_last(sign_in: SignIn, station: Recorder) -> None:
    client = sign_in("clerk")
    for level in ("35", "40"):
        client.post("/speakers/s1001-1/volume", data={"volume": level})
    ring = KeyRing.of({KEY_ID: station.key.public()})
    first, second = (read_command(payload, ring) for _, payload, _ in station.sent)
    assert isinstance(first, SetVolume)
    assert isinstance(second, SetVolume)
    assert second.seq > first.seq
    assert second.id != first.id


def test_with_the_broker_away_no_volume_is_changed_and_the_page_says_so(sign_in: SignIn, runtime: Runtime) -> None:
    answer = sign_in("clerk").post("/speakers/s1001-1/volume", data={"volume": "35"})
    assert (answer.status_code, "什么都没改" in answer.text, 'value="35"' in answer.text) == (503, True, True)
    assert the_speaker(runtime).volume == 80


@pytest.mark.parametrize("volume", ["", "loud", "-1", "101", "1e2", "５０"])
def test_a_malformed_volume_is_refused_and_kept_for_correction(
    sign_in: SignIn, runtime: Runtime, station: Recorder, volume: str
) -> None:
    answer = sign_in("clerk").post("/speakers/s1001-1/volume", data={"volume": volume})
    assert (answer.status_code, 'href="#f-volume"' in answer.text) == (422, True)
    assert f'value="{volume}"' in answer.text
    assert (the_speaker(runtime).volume, station.sent) == (80, [])


def test_a_volume_for_an_offline_device_says_that_it_will_come(
    sign_in: SignIn, runtime: Runtime, station: Recorder
) -> None:
    change(runtime, "s1001-1", online=False)
    answer = sign_in("clerk").post("/speakers/s1001-1/volume", data={"volume": "35"}, follow_redirects=True)
    assert "连上后自己会改" in answer.text


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("viewer", 403), ("secretary", 403)])
def test_whoever_may_not_changes_neither_volume_nor_service(
    sign_in: SignIn, runtime: Runtime, station: Recorder, who: str, status: int
) -> None:
    client = sign_in(who)
    assert client.post("/speakers/s1001-1/volume", data={"volume": "35"}).status_code == status
    assert client.post("/speakers/s1001-1/retire").status_code == status
    speaker = the_speaker(runtime)
    assert (speaker.volume, speaker.state, station.sent) == (80, SpeakerState.ACTIVE, [])


def test_a_stranger_finds_nothing_of_the_north(sign_in: SignIn) -> None:
    client = sign_in("stranger")
    assert listed(client.get("/speakers").text) == ["s2001-1", "s2001-2"]
    assert client.get("/speakers/s1001-1").status_code == 404
    assert client.get("/speakers/s1001-1", headers={"HX-Request": "true"}).status_code == 404
    assert client.get(f"/speakers?region={NORTH}").status_code == 404


def test_whoever_only_looks_is_offered_no_buttons(sign_in: SignIn) -> None:
    client = sign_in("viewer")
    assert "添加喇叭" not in client.get("/speakers").text
    page = client.get("/speakers/s1001-1").text
    assert "改音量" not in page
    assert "停用" not in page
    assert client.get("/speakers/new").status_code == 403


def test_without_signing_in_nothing_is_shown_or_changed(app: OpenAPI, runtime: Runtime) -> None:
    client = app.test_client()
    assert client.get("/speakers/s1001-1").status_code == 302
    assert client.get("/speakers/s1001-1", headers={"HX-Request": "true"}).status_code == 401
    assert client.post("/speakers/s1001-1/retire").status_code == 302
    assert client.post("/speakers/new", data=FORM).status_code == 302
    assert the_speaker(runtime).state is SpeakerState.ACTIVE
    assert not known(runtime, "bridge-3")


def test_a_retired_loudspeaker_leaves_the_list_and_the_broker(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    answer = client.post("/speakers/s1001-1/retire", follow_redirects=True)
    assert "停用了" in answer.text
    assert "s1001-1" not in listed(answer.text)
    accounts = {account.username for account in read_accounts(runtime.get(Station).folder)}
    assert "s1001-2" in accounts
    assert "s1001-1" not in accounts
    page = client.get("/speakers/s1001-1").text
    assert "已停用" in page
    assert "改音量" not in page


def test_a_new_loudspeaker_gets_a_device_file_that_works_and_is_shown_once(
    sign_in: SignIn, runtime: Runtime, station: Recorder
) -> None:
    client = sign_in("clerk")
    page = client.post("/speakers/new", data=FORM).text
    address = re.findall(r'href="data:application/toml;charset=utf-8,([^"]+)"', page)[0]
    device = DeviceFile.model_validate(tomllib.loads(unquote(unescape(address))))
    assert (device.id, device.broker_host, device.regions[-1]) == ("bridge-3", "192.168.1.10", BRIDGE)
    assert "只给这一次" in page
    speaker = the_speaker(runtime, "bridge-3")
    assert check_password(device.secret, speaker.password_hash)
    assert device.secret not in client.get("/speakers/bridge-3").text
    account = next(a for a in read_accounts(station.folder) if a.username == "bridge-3")
    assert account.password_hash == speaker.password_hash
    [(topic, payload, retain)] = station.sent
    settings = read_command(payload, KeyRing.of(device.hub_keys))
    assert isinstance(settings, Configure)
    assert (topic, retain, settings.settings.number) == ("cx/1/dev/bridge-3/cfg", True, device.number)


@pytest.mark.parametrize(
    ("change_", "field"),
    [
        ({"speaker_id": "s1001-1"}, "speaker_id"),
        ({"speaker_id": "村口"}, "speaker_id"),
        ({"name": ""}, "name"),
        ({"region_code": NORTH}, "region_code"),
        ({"broker_host": "http://x/"}, "broker_host"),
        ({"broker_host": ""}, "broker_host"),
    ],
)
def test_a_refused_loudspeaker_keeps_what_was_typed_and_adds_nothing(
    sign_in: SignIn, runtime: Runtime, station: Recorder, change_: dict[str, str], field: str
) -> None:
    form = FORM | change_
    answer = sign_in("clerk").post("/speakers/new", data=form)
    assert (answer.status_code, f'href="#f-{field}"' in answer.text) == (422, True)
    for name in ("speaker_id", "name", "broker_host"):
        assert f'value="{form[name]}"' in answer.text
    assert (known(runtime, "bridge-3"), station.sent) == (False, [])


def test_reloading_the_page_of_a_new_loudspeaker_adds_no_second_and_gives_no_password(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    client.post("/speakers/new", data=FORM)
    again = client.post("/speakers/new", data=FORM)
    assert (again.status_code, "已经用过了" in again.text, "data:application" in again.text) == (422, True, False)


def test_nobody_adds_a_loudspeaker_to_another_township(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    assert FERRY not in client.get("/speakers/new").text
    assert client.post("/speakers/new", data=FORM | {"region_code": FERRY}).status_code == 404
    assert not known(runtime, "bridge-3")


def test_adding_one_does_not_change_the_hubs_own_account_at_the_broker(sign_in: SignIn, runtime: Runtime) -> None:
    """The broker ends connections whose hash changes: the hub must not cut its own line."""
    station = runtime.get(Station)
    station.renew_accounts()
    before = next(a for a in read_accounts(station.folder) if a.is_hub)
    sign_in("clerk").post("/speakers/new", data=FORM)
    assert next(a for a in read_accounts(station.folder) if a.is_hub) == before
