"""Every reason a loudspeaker or the hub can give has words; nothing unknown is hidden."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask_openapi3.openapi import OpenAPI

from broadcasts.delivery.outcomes import Outcome, outcome
from broadcasts.loudspeaker.states import PlayState
from hub.speakers.protocol import Used

ROOT = Path(__file__).resolve().parents[3]
SOURCES = {
    "hub/speakers/device/*.py": r"reason=\"([a-z_]+)\"|_LOST: Final = \"([a-z_]+)\"|FAILED, now, \"([a-z_]+)\"",
    "hub/speakers/device/audio.py": r"(?:return|Failed\() ?\"([a-z_]+)\"",
    "hub/speakers/device/playing.py": r"return \"([a-z_]+)\"|_KEPT: Final = \"([a-z_]+)\"",
    "hub/speakers/device/player.py": r"\"(playback)\"",
    "broadcasts/loudspeaker/listing.py": r"reason=\"([a-z_]+)\"",
    "broadcasts/loudspeaker/orders.py": r"(?:return|else|reason=) ?\"([a-z_]+)\"|\"(no_receipt)\"",
}
KNOWN = {"offline", "no_receipt", "no_end", "power_lost", "fetch_failed", "quiet_hours", "busy", "called_off", "stuck"}
KNOWN |= {"stream_lost", "wrong_mode", "self_test", "stopped_before", "not_yet", "replayed", "storage_low"}
UNKNOWN = "喇叭说的是"


def reasons() -> set[str]:
    found = set()
    for name, pattern in SOURCES.items():
        for path in ROOT.glob(name):
            for match in re.finditer(pattern, path.read_text("utf-8")):
                found |= {text for text in match.groups() if text}
    return found


Why = Callable[..., str]


@pytest.fixture
def why(app: OpenAPI) -> Why:
    """Return the words for a loudspeaker's state and reason."""

    def words(state: PlayState, reason: str = "", *, online: bool = True, heard: bool = False) -> str:
        line = SimpleNamespace(state=state, reason=reason, online=online, outcome=outcome(state, heard))
        with app.test_request_context():
            macros = app.jinja_env.get_template("broadcasts/delivery/_words.html").module
            return str(macros.why(line)).strip()  # type: ignore[attr-defined]

    return words


def test_the_search_for_reasons_finds_them() -> None:
    assert reasons() >= KNOWN


def test_every_reason_has_words_of_its_own(why: Why) -> None:
    said = {reason: why(PlayState.FAILED, reason) for reason in reasons() | {"http_404", "http_500"}}
    assert {reason for reason, words in said.items() if not words or UNKNOWN in words} == set()
    assert {reason for reason, words in said.items() if re.search(r"[a-z]{3}", words)} == set(), "a code is no word"


def test_the_reason_of_strange_firmware_is_shown_as_it_came(why: Why) -> None:
    assert why(PlayState.FAILED, "flux <capacitor>") == "没播成，喇叭说的是：flux &lt;capacitor&gt;"


def test_what_is_still_tried_is_not_called_failed(why: Why) -> None:
    assert why(PlayState.RECEIVED, "fetch_failed") == why(PlayState.RECEIVED, "http_503") == "声音还没下载成，还在试"
    assert "没下载成" in why(PlayState.FAILED, "fetch_failed")


def test_what_stood_in_for_the_recording_is_said(app: OpenAPI) -> None:
    with app.test_request_context():
        macros = app.jinja_env.get_template("broadcasts/delivery/_words.html").module
        said = {used: str(macros.stood_in(used)).strip() for used in Used}  # type: ignore[attr-defined]
    assert {used for used, words in said.items() if words} == {Used.PACK, Used.SPEECH, Used.TONE}


def test_without_a_reason_every_state_but_the_good_ones_has_words(why: Why) -> None:
    for online in (True, False):
        silent = {state for state in PlayState if not why(state, online=online)}
        assert silent == {PlayState.STARTED, PlayState.FINISHED}


def test_who_is_offline_is_called_so(why: Why) -> None:
    assert "离线" in why(PlayState.SENT, online=False)
    assert "离线" not in why(PlayState.SENT, online=True)


def test_what_was_cut_short_is_told_apart_from_what_never_sounded(why: Why) -> None:
    assert why(PlayState.STOPPED, heard=True) == "响了一部分，被叫停了"
    assert why(PlayState.STOPPED, heard=False) == "还没响就叫停了"


def test_every_outcome_has_a_badge(app: OpenAPI) -> None:
    with app.test_request_context():
        macros = app.jinja_env.get_template("broadcasts/delivery/_words.html").module
        badges = [str(macros.outcome_badge(kind)) for kind in Outcome]  # type: ignore[attr-defined]
    assert all(re.search(r"[一-鿿]", badge) for badge in badges)
    assert len(set(badges)) == len(Outcome)
