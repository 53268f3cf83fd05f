"""Who speaks: the chosen voice, else the first that can, and in an emergency only one that speaks at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from broadcasts.kinds import Colour, Theme
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, Language, Script, SpeechFailed, VoiceInfo, VoiceSpec
from broadcasts.speech.library import Library, RenderOrder
from broadcasts.speech.tone_engine import ToneEngine
from broadcasts.studio import LAST_RESORT, Studio

TEXT = "各位村民请注意，今天下午停水，请大家提前接好水。"


@dataclass
class Beeper(ToneEngine):
    """Beeps under another name, as slow and as willing as a test wants."""

    name: str = "beeper"
    rtf: float = 0.01
    start_s: float = 0.1
    ready: bool = True
    fails: bool = False
    network: bool = False
    languages: tuple[Language, ...] = (Language.MANDARIN,)
    asked: list[VoiceSpec] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def info(self) -> EngineInfo:
        return EngineInfo(
            self.name,
            self.name,
            "1",
            tuple(VoiceInfo("beep", "声", language, human=self.rtf > 0.1) for language in self.languages),
            reproducible=True,
            ready=self.ready,
            reason="" if self.ready else "还没有安装",
            typical_rtf=self.rtf,
            start_s=self.start_s,
            needs_network=self.network,
        )

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        self.asked.append(voice)
        self.waited.append(timeout_s)
        if self.fails or not self.ready:
            raise SpeechFailed("嗓子哑了", retryable=True)
        super().synthesize(script, voice, target, timeout_s=timeout_s)


@pytest.fixture
def fine() -> Beeper:
    """Sounds like a person and takes its time."""
    return Beeper("fine", rtf=0.9, start_s=4.0)


@pytest.fixture
def plain() -> Beeper:
    """Speaks at once."""
    return Beeper("plain", languages=tuple(Language))


def a_studio(
    folder: Path, *engines: Beeper, chosen: Mapping[Language, VoiceSpec] | None = None, patience_s: float = 30.0
) -> Studio:
    known = {**{engine.name: engine for engine in engines}, LAST_RESORT: ToneEngine()}
    settings = SpeechSettings(engines=tuple(engine.name for engine in engines), patience_seconds=patience_s)
    return Studio(Library(folder, known), settings, (chosen or {}).get)


def an_order(studio: Studio, text: str = TEXT, language: Language = Language.MANDARIN) -> RenderOrder:
    return studio.announcement(text, theme=Theme.NOTICE, speed="normal", repeats=1, language=language)


def test_the_first_engine_speaks_when_it_is_in_time(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    studio = a_studio(tmp_path, fine, plain)
    made = studio.render(an_order(studio))
    assert (made.engine, made.late) == ("fine", False)
    assert plain.asked == []


def test_one_that_would_be_late_is_passed_over_and_the_recording_says_who_spoke(
    tmp_path: Path, fine: Beeper, plain: Beeper
) -> None:
    studio = a_studio(tmp_path, fine, plain, patience_s=5)
    made = studio.render(an_order(studio))
    assert (made.engine, made.late) == ("plain", True)
    assert fine.asked == []


def test_what_lies_there_already_is_never_late(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    studio = a_studio(tmp_path, fine, plain, patience_s=5)
    order = an_order(studio)
    kept = studio.render(studio.unhurried(order))
    assert kept.engine == "fine"
    assert studio.render(order) == kept


def test_one_that_fails_is_passed_over_and_leaves_time_for_the_next(
    tmp_path: Path, fine: Beeper, plain: Beeper
) -> None:
    fine.fails = True
    studio = a_studio(tmp_path, fine, plain)
    made = studio.render(an_order(studio))
    assert (made.engine, made.late) == ("plain", False)
    assert fine.waited == [30.0]
    assert plain.waited == [60.0]


def test_when_everybody_is_late_the_quickest_speaks(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    plain.rtf, plain.start_s = 0.5, 2.0
    studio = a_studio(tmp_path, fine, plain, patience_s=1)
    assert studio.render(an_order(studio)).engine == "plain"
    plain.fails = True
    assert studio.render(an_order(studio, "另外一句话，也要读出来。")).engine == "fine"


def test_when_nobody_can_speak_the_first_reason_is_said(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    fine.fails = plain.fails = True
    studio = a_studio(tmp_path, fine, plain)
    with pytest.raises(SpeechFailed, match="嗓子哑了"):
        studio.render(an_order(studio))


def test_one_that_is_not_installed_is_not_the_usual_voice(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    fine.ready = False
    studio = a_studio(tmp_path, fine, plain)
    assert an_order(studio).voice.engine == "plain"
    speaking = studio.speaking()
    assert speaking
    assert (speaking.engine.name, speaking.human) == ("plain", False)


def test_an_emergency_never_waits_for_a_slow_voice(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    studio = a_studio(tmp_path, fine, plain)
    alarm = studio.alarm(TEXT, colour=Colour.RED, repeats=1)
    assert alarm.voice.engine == "plain"
    assert alarm.fallback == (LAST_RESORT,)
    plain.fails = True
    assert studio.render(alarm).engine == LAST_RESORT
    assert fine.asked == []


def test_an_emergency_never_asks_the_network_nor_heeds_a_choice_that_would_take_time(
    tmp_path: Path, fine: Beeper, plain: Beeper
) -> None:
    cloud = Beeper("cloud", network=True)
    chosen = {Language.MANDARIN: VoiceSpec(engine="fine", rate=130, gain_db=-3)}
    studio = a_studio(tmp_path, cloud, fine, plain, chosen=chosen)
    alarm = studio.alarm(TEXT, colour=Colour.RED, repeats=1)
    assert (alarm.voice.engine, alarm.voice.rate) == ("plain", 130)
    assert an_order(studio).voice == chosen[Language.MANDARIN]


def test_a_choice_holds_for_its_language_alone(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    chosen = {Language.CANTONESE: VoiceSpec(engine="plain", voice="beep", language=Language.CANTONESE, rate=120)}
    studio = a_studio(tmp_path, fine, plain, chosen=chosen)
    assert studio.languages() == (Language.MANDARIN, Language.CANTONESE)
    order = an_order(studio, language=Language.CANTONESE)
    assert (order.voice.engine, order.voice.rate, order.fallback) == ("plain", 120, ())
    assert an_order(studio).voice.engine == "fine"


def test_a_chosen_voice_that_is_gone_is_stood_in_for_with_its_settings(
    tmp_path: Path, fine: Beeper, plain: Beeper
) -> None:
    fine.ready = False
    chosen = {Language.MANDARIN: VoiceSpec(engine="fine", voice="beep", rate=120, gain_db=-3)}
    voice = an_order(a_studio(tmp_path, fine, plain, chosen=chosen)).voice
    assert (voice.engine, voice.voice, voice.rate, voice.gain_db) == ("plain", "", 120, -3)


def test_a_page_that_makes_several_recordings_is_not_held_up(tmp_path: Path, fine: Beeper, plain: Beeper) -> None:
    studio = a_studio(tmp_path, fine, plain, patience_s=300)
    assert studio.render(studio.hurried(an_order(studio))).engine == "plain"


def test_louder_or_softer_is_another_recording(tmp_path: Path, plain: Beeper) -> None:
    studio = a_studio(tmp_path, plain)
    order = an_order(studio)
    softer = replace(order, voice=replace(order.voice, gain_db=-6.0))
    assert studio.render(order).sha256 != studio.render(softer).sha256
    with pytest.raises(ValueError, match="gain_db"):
        VoiceSpec(gain_db=6.0)


def test_english_keeps_its_figures_for_the_voice(tmp_path: Path, plain: Beeper) -> None:
    studio = a_studio(tmp_path, plain)
    order = an_order(studio, "No water from 14:30.", Language.ENGLISH)
    assert studio.reading(order).spoken == "No water from 14:30."
    assert studio.render(order).spoken == "No water from 14:30."
    assert "十四点" in studio.reading(an_order(studio, "14:30停水。")).spoken
