"""Which addresses can be relayed, and what the hub hears when it listens to one."""

import socket
import time

import numpy as np
import pytest
from radio import radio

from broadcasts.relay.addresses import Found, Relay, can_be_relayed
from broadcasts.relay.listening import Heard, listen
from broadcasts.speech.audio import RATE
from hub.speakers.protocol import Stream


@pytest.mark.parametrize(
    "url",
    [
        "http://radio.example/live.mp3",
        "https://radio.example:8443/a?b=c",
        "http://192.168.1.20:8000/fm",
        "http://radio.example",
        "line:hw:1,0",
    ],
)
def test_what_loudspeakers_accept_can_be_relayed(url: str) -> None:
    assert can_be_relayed(url)
    assert Stream(url=url, duration_ms=60_000).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "radio.example/live",
        "file:///etc/passwd",
        "ftp://radio.example/a",
        "rtmp://radio.example/a",
        "http://",
        "http://user:password@radio.example/a",
        "http://radio.example/a b",
        "http://radio.example/节目",
        "line:",
        "line:a b",
        "concat:http://a|http://b",
        "http://radio.example/" + "a" * 1000,
    ],
)
def test_nothing_else_can(url: str) -> None:
    assert not can_be_relayed(url)
    assert Relay(url, 30).problems()[0].field == "relay_url"


@pytest.mark.parametrize("minutes", [0, -1, 121])
def test_a_relay_has_an_end(minutes: int) -> None:
    assert [p.code for p in Relay("http://radio.example/a", minutes).problems()] == ["relay_minutes_range"]


def test_a_station_that_is_on_is_heard() -> None:
    with radio() as station:
        heard = listen(station.url, seconds=1)
    assert heard.found is Found.HEARD
    assert heard.level_db == pytest.approx(-17, abs=2), "a tone of a fifth of full scale"


def test_a_station_without_a_programme_is_silent() -> None:
    with radio(np.zeros(2 * RATE, np.float32)) as station:
        heard = listen(station.url, seconds=1)
    assert heard.found is Found.SILENT
    assert heard.level_db is not None
    assert heard.level_db < -50


def test_a_page_is_no_programme() -> None:
    with radio(kind="text/html", body=b"<html>" + b"x" * 5000) as station:
        assert listen(station.url, seconds=1) == Heard(Found.NO_SOUND)


def test_a_list_of_other_files_opens_none_of_them() -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
    with radio(kind="application/vnd.apple.mpegurl", body=playlist) as station:
        assert listen(station.url, seconds=1).found is not Found.HEARD


def test_nobody_at_home_is_told_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert listen(f"http://127.0.0.1:{port}/a", seconds=1) == Heard(Found.AWAY)


@pytest.mark.slow
def test_somebody_who_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        assert listen(f"http://127.0.0.1:{mute.getsockname()[1]}/a", seconds=1).found is Found.AWAY
        assert time.monotonic() - began < 15


def test_an_input_of_the_loudspeakers_is_not_the_hubs_to_hear() -> None:
    assert listen("line:fm") == Heard(Found.LINE)
