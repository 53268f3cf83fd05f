"""Alarms are spoken before they are needed."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from builders import NORTH
from conftest import SetClock

from broadcasts.alerts.hazards import hazards, wording
from broadcasts.alerts.service import REPEATS
from broadcasts.alerts.voice import AT_FIRST_S, ROUND_S, Warmer, speak
from broadcasts.kinds import Colour
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, Script, SpeechEngine, SpeechFailed, VoiceSpec
from broadcasts.speech.library import Library
from broadcasts.speech.tone_engine import ToneEngine
from broadcasts.studio import LAST_RESORT, Studio
from hub.core.runtime import Runtime

HAZARD = next(iter(hazards().values()))


@dataclass
class CountingEngine:
    """The tone engine, which counts how often it speaks and may be out of order."""

    broken: bool = False
    spoken: list[Script] = field(default_factory=list)
    inner: SpeechEngine = field(default_factory=ToneEngine)

    @property
    def name(self) -> str:
        """Its own name."""
        return "counting"

    def info(self) -> EngineInfo:
        """Say what the tone engine says."""
        return self.inner.info()

    def fingerprint(self, voice: VoiceSpec) -> str:
        """Say that it is another one than the tone."""
        return f"counting {self.inner.fingerprint(voice)}"

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """Speak, or fail."""
        self.spoken.append(script)
        if self.broken:
            raise SpeechFailed("broken on purpose")
        self.inner.synthesize(script, voice, target, timeout_s=timeout_s)


class Passing:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def studio(tmp_path: Path, engine: CountingEngine) -> Studio:
    library = Library(tmp_path / "sound", {"counting": engine, LAST_RESORT: ToneEngine()})
    return Studio(library, SpeechSettings(engines=("counting",)))


@pytest.fixture
def passing() -> Passing:
    return Passing()


@pytest.fixture
def warmer(runtime: Runtime, studio: Studio, passing: Passing) -> Warmer:
    return Warmer(runtime.sessions, studio, monotonic=passing)


def there(studio: Studio, place: str, colour: Colour) -> bool:
    order = studio.alarm(HAZARD.words[colour].at(place).speech, colour=colour, repeats=REPEATS)
    return studio.library.find_order(order) is not None


def test_what_somebody_is_choosing_is_spoken_at_once(warmer: Warmer, studio: Studio, engine: CountingEngine) -> None:
    kicks: list[bool] = []
    warmer.kick = lambda: kicks.append(True)
    text = HAZARD.words[Colour.BLUE].at("桥村").speech
    warmer.want(text, Colour.BLUE)
    warmer.want(text, Colour.BLUE)
    assert kicks == [True]
    assert warmer.step() == 0.0
    assert there(studio, "桥村", Colour.BLUE)
    warmer.step()
    assert len(engine.spoken) == 1
    assert speak(studio, text, Colour.BLUE).engine == "counting"
    assert len(engine.spoken) == 1


def test_the_usual_ones_are_spoken_slowly_red_before_orange(
    warmer: Warmer, studio: Studio, passing: Passing, engine: CountingEngine
) -> None:
    warmer.step()
    assert not there(studio, "试县", Colour.RED)
    passing.seconds = AT_FIRST_S
    warmer.step()
    assert there(studio, "试县", Colour.RED)
    assert len(engine.spoken) == 1
    warmer.step()
    assert len(engine.spoken) == 1, "it rests in between"
    passing.seconds += AT_FIRST_S
    warmer.step()
    assert len(engine.spoken) == 2
    assert not there(studio, "试县", Colour.ORANGE)


def test_a_voice_out_of_order_is_left_alone_for_a_while(
    warmer: Warmer, passing: Passing, engine: CountingEngine
) -> None:
    engine.broken = True
    passing.seconds = AT_FIRST_S
    for _ in range(20):
        warmer.step()
        passing.seconds += ROUND_S / 20
    assert len(engine.spoken) == 1


def test_when_the_voice_fails_the_alarm_still_sounds(studio: Studio, engine: CountingEngine) -> None:
    engine.broken = True
    spoken = speak(studio, HAZARD.words[Colour.RED].at("北镇").speech, Colour.RED)
    assert spoken.engine == LAST_RESORT
    assert spoken.sound is not None
    assert spoken.sound.ms > 3000


def test_when_nothing_can_be_kept_there_is_no_sound_and_no_fault(tmp_path: Path, studio: Studio) -> None:
    sound = tmp_path / "sound"
    sound.rename(tmp_path / "away")
    sound.write_text("not a folder")
    spoken = speak(studio, HAZARD.words[Colour.RED].at("北镇").speech, Colour.RED)
    assert spoken.sound is None
    assert spoken.engine == ""


def test_a_running_hub_has_its_alarms_spoken(runtime: Runtime, app: object, clock: SetClock) -> None:
    assert isinstance(runtime.get(Warmer), Warmer)


def test_the_words_of_an_emergency_stand_in_the_files_alone() -> None:
    for hazard in hazards().values():
        for colour in Colour:
            assert "{place}" in hazard.words[colour].speech
            assert "{place}" not in hazard.words[colour].at(NORTH).speech
            assert wording().title_of(hazard, colour).startswith(hazard.name)
    sources = Path(__file__).resolve().parents[3] / "broadcasts" / "alerts"
    chinese = {
        path.name: line
        for path in sources.glob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if any("\u4e00" <= c <= "\u9fff" for c in line) and "lazy_gettext" not in line
    }
    assert chinese == {}
