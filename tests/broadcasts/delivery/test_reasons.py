"""Every reason a loudspeaker or the hub can give has words; nothing unknown is hidden."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask_openapi3.openapi import OpenAPI

from broadcasts.delivery.outcomes import Outcome, outcome
from broadcasts.loudspeaker.states import PlayState

ROOT = Path(__file__).resolve().parents[3]
SOURCES = {
    "hub/speakers/playing.py": r"Reached\.(?:FAILED|REFUSED|STOPPED), now, \"([a-z_]+)\"",
    "hub/speakers/core.py": r"Reached\.(?:FAILED|REFUSED|STOPPED), now, \"([a-z_]+)\"",
    "hub/speakers/audio.py": r"(?:return|Failed\() ?\"([a-z_]+)\"",
    "hub/speakers/player.py": r"\"(playback)\"",
    "broadcasts/loudspeaker/orders.py": r"(?:return|else|reason=) ?\"([a-z_]+)\"|\"(no_receipt)\"",
}
KNOWN = {"offline", "no_receipt", "no_end", "power_lost", "fetch_failed", "quiet_hours", "busy", "called_off", "stuck"}
UNKNOWN = "喇叭说的是"


def reasons() -> set[str]:
    found = set()
    for name, pattern in SOURCES.items():
        for match in re.finditer(pattern, (ROOT / name).read_text("utf-8")):
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
