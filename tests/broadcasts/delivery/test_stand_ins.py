"""What sounded instead of the recording, how loud, and by what clock: told on the page and to programs."""

import re
from collections.abc import Callable

import pytest
from apilab import program
from builders import BRIDGE
from composelab import said
from deliverylab import B1, B2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import update

from broadcasts.delivery import service
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]


def test_the_page_and_programs_learn_what_stood_in(air: Air, sign_in: SignIn, runtime: Runtime, app: OpenAPI) -> None:
    key = air.release(BRIDGE, kind=Kind.EMERGENCY)
    air.play(key, [B1, B2])
    with runtime.sessions.begin() as session:
        session.execute(update(SpeakerDelivery).where(SpeakerDelivery.speaker_id == B1).values(used="pack", volume=100))
        session.execute(update(Speaker).where(Speaker.id == B1).values(clock_offset_ms=-7300))
        session.execute(update(Speaker).where(Speaker.id == B2).values(clock_offset_ms=1200))
    words = said(sign_in("duty").get(f"/broadcasts/{key}").text)
    assert "没下载到录音，播了喇叭里备的那段" in words
    assert "音量 100，时钟慢 7 秒" in words
    assert "时钟快" not in words, "a second is not worth a word"
    lines = program(app, runtime, "duty").get(f"/broadcasts/{key}/speakers").json["items"]  # type: ignore[index]
    assert [(line["used"], line["volume"]) for line in lines] == [("pack", 100), ("", None)]


@pytest.mark.parametrize(("kind", "word"), [(Kind.SHOUT, "喊话"), (Kind.RELAY, "转播"), (Kind.EMERGENCY, "应急")])
def test_every_page_names_what_kind_it_is(kind: Kind, word: str, air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    key = air.release(BRIDGE, kind=kind)
    browser = sign_in("duty")
    assert word in said(browser.get("/").text.partition('class="on-air-name"')[2].partition("</b>")[0])
    badge = re.compile(rf'class="badge[^"]*">(<svg.*?</svg>)?{word}<')
    for page in ("/broadcasts", f"/broadcasts/{key}"):
        assert badge.search(browser.get(page).text.partition("<main")[2])


def test_a_drill_is_called_one(air: Air, sign_in: SignIn, runtime: Runtime) -> None:
    key = air.release(BRIDGE)
    assert "演练" not in main_of(sign_in("duty").get(f"/broadcasts/{key}").text).partition("播给")[0]
    with runtime.sessions.begin() as session:
        session.execute(update(PlayOrder).values(mode="drill"))
    assert "演练" in main_of(sign_in("duty").get(f"/broadcasts/{key}").text)


def main_of(page: str) -> str:
    """Return what the page itself says: the menu beside it speaks of drills too."""
    return said(page[page.index("<main") :])


def test_what_is_open_is_found_without_a_lock(air: Air, runtime: Runtime) -> None:
    with runtime.sessions.read() as session:
        assert not service.anything_open(session)
    key = air.release(BRIDGE)
    with runtime.sessions.read() as session:
        assert service.anything_open(session)
    air.report(key, PlayState.FINISHED, [B1, B2])
    air.later(seconds=1)
    with runtime.sessions.read() as session:
        assert not service.anything_open(session)
        assert session.get_one(Broadcast, key).done_at is not None
