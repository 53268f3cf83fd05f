"""What somebody is writing is spoken while they write it, so that handing it in waits for nothing."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from builders import NORTH, a_draft
from composelab import MuteEngine

from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.preparing import IDLE_S, REST_S, Preparer
from broadcasts.announcements.sounding import order_for
from broadcasts.audience.selection import Audience
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, Script, VoiceSpec
from broadcasts.speech.library import Library
from broadcasts.speech.tone_engine import ToneEngine
from broadcasts.studio import Studio

TEXT = "各位乡亲，村里的自来水管道今天要抢修，下午停水，请大家早点接水备用。"


class CarefulEngine(ToneEngine):
    """Says that it takes as long as the words last, and counts what it speaks."""

    name = "careful"

    def __init__(self) -> None:
        self.spoken = 0

    def info(self) -> EngineInfo:
        return replace(super().info(), name="careful", typical_rtf=0.9)

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        self.spoken += 1
        super().synthesize(script, voice, target, timeout_s=timeout_s)


class Desk:
    """A clerk at a form, and the pump behind it."""

    def __init__(self, folder: Path, engine: ToneEngine | MuteEngine) -> None:
        self.engine, self.now, self.form = engine, 100.0, uuid4()
        library = Library(folder, {engine.name: engine})
        self.studio = Studio(library, SpeechSettings(engines=(engine.name,)))
        self.preparer = Preparer(self.studio, monotonic=lambda: self.now)

    def types(self, text: str = TEXT, form: UUID | None = None, **given: object) -> Draft:
        draft = a_draft(text=text, **given)
        self.preparer.want(form or self.form, draft)
        return draft

    def later(self, seconds: float) -> float:
        self.now += seconds
        return self.preparer.step()

    def has(self, draft: Draft) -> bool:
        return self.studio.library.find_order(order_for(self.studio, draft)) is not None


@pytest.fixture
def engine() -> CarefulEngine:
    return CarefulEngine()


@pytest.fixture
def desk(tmp_path: Path, engine: CarefulEngine) -> Desk:
    return Desk(tmp_path, engine)


def test_it_is_spoken_once_the_clerk_rests_and_found_when_it_is_handed_in(desk: Desk, engine: CarefulEngine) -> None:
    draft = desk.types()
    assert desk.later(REST_S - 1) == IDLE_S
    assert not desk.has(draft)
    assert desk.later(1) == 0.0
    assert desk.has(draft)
    desk.studio.render(order_for(desk.studio, draft))
    assert engine.spoken == 1, "handing it in speaks nothing"


def test_what_is_written_over_is_never_spoken(desk: Desk, engine: CarefulEngine) -> None:
    first = desk.types()
    desk.later(REST_S - 1)
    second = desk.types(TEXT + "今天就办。")
    desk.later(REST_S - 1)
    assert engine.spoken == 0
    desk.later(1)
    assert (desk.has(first), desk.has(second)) == (False, True)


def test_looking_again_without_a_change_does_not_begin_the_rest_anew(desk: Desk) -> None:
    draft = desk.types()
    desk.later(REST_S - 1)
    desk.types()
    desk.later(1)
    assert desk.has(draft)


@pytest.mark.parametrize("given", [{"text": "开会"}, {"text": ""}, {"audience": Audience((NORTH,), speakers=False)}])
def test_what_needs_no_time_is_not_spoken_ahead(desk: Desk, given: dict[str, object]) -> None:
    desk.types(**given)  # type: ignore[arg-type]
    assert desk.later(REST_S) == IDLE_S


def test_a_voice_that_speaks_at_once_is_not_asked_ahead(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ToneEngine())
    draft = desk.types()
    desk.later(REST_S)
    assert not desk.has(draft)


def test_forms_that_are_left_open_do_not_pile_up(desk: Desk, engine: CarefulEngine) -> None:
    for number in range(50):
        desk.types(TEXT + "第" + "一二三四五六七八九十"[number % 10] + "次。", form=uuid4())
    desk.now += REST_S
    while desk.preparer.step() == 0.0:
        pass
    assert engine.spoken <= 8
