"""The studio: words in, a finished recording out, with the tone that fits what it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from broadcasts.kinds import Colour, Theme
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import FASTEST, SLOWEST, EngineInfo, Language, VoiceInfo, VoiceSpec
from broadcasts.speech.findings import Finding
from broadcasts.speech.library import Library, Rendering, RenderOrder, estimate_ms
from broadcasts.speech.lint import lint
from broadcasts.speech.pronunciation import BUILT_IN, Lexicon
from broadcasts.speech.reading import Reading
from broadcasts.speech.signals import Signal
from broadcasts.speech.tongues import read, seconds_of

SPEED: Mapping[str, float] = {"slow": 0.85, "normal": 1.0, "fast": 1.15}
SIGNAL_OF: Mapping[Theme, Signal] = {
    Theme.NOTICE: Signal.ROUTINE,
    Theme.SAFETY: Signal.SAFETY,
    Theme.FRAUD: Signal.SAFETY,
    Theme.LAW: Signal.ROUTINE,
    Theme.DRILL: Signal.ROUTINE,
}
ALARM_OF: Mapping[Colour, Signal] = {
    Colour.RED: Signal.RED,
    Colour.ORANGE: Signal.ORANGE,
    Colour.YELLOW: Signal.YELLOW,
    Colour.BLUE: Signal.BLUE,
}
LAST_RESORT = "tone"
"""When no voice speaks, an emergency still sounds: its alarm tone and beeps. Never for anything routine."""
ALWAYS_THERE = "pyttsx3"
UNHURRIED_S = 900.0
HURRY_S = 2.0


def _nothing_chosen(language: Language) -> VoiceSpec | None:
    return None


def _built_in() -> Lexicon:
    return BUILT_IN


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who will speak: an engine and one of its voices, `None` where there is no such one."""

    engine: EngineInfo
    voice: VoiceInfo | None

    @property
    def human(self) -> bool:
        """Return whether it sounds like a person."""
        return self.voice is not None and self.voice.human


class Check(Protocol):
    """Says what a text would better say otherwise; one for a `drill` has to say so itself."""

    def __call__(self, text: str, *, drill: bool = False) -> tuple[Finding, ...]:
        """Return the findings, in the order of the text."""
        ...


@dataclass(frozen=True)
class Studio:
    """Renders announcements and alarms through the library.

    `chosen` says which voice staff want for a language, if they have chosen; `lexicon` how words are read here,
    `check` what a text would better say otherwise.
    """

    library: Library
    settings: SpeechSettings
    chosen: Callable[[Language], VoiceSpec | None] = _nothing_chosen
    lexicon: Callable[[], Lexicon] = _built_in
    check: Check = lint

    def announcement(
        self, text: str, *, theme: Theme, speed: str, repeats: int, language: Language = Language.MANDARIN
    ) -> RenderOrder:
        """Return the order for an announcement; what would take longer than people wait is for a quicker voice."""
        voice, others = self._casting(language, self._candidates(language))
        return RenderOrder(
            text=text,
            voice=_at_speed(voice, speed),
            repeats=repeats,
            signal=SIGNAL_OF[theme],
            end_signal=Signal.END if self.settings.closing_tone else None,
            lexicon=self.lexicon(),
            fallback=others,
            within_s=self.settings.patience_seconds,
        )

    def alarm(self, text: str, *, colour: Colour, repeats: int, signal: Signal | None = None) -> RenderOrder:
        """Return the order for an emergency: only voices that speak at once and need no line.

        It begins with the tone of its colour, or with `signal`: what takes an alarm back must not sound like one.
        """
        quick = [name for name in self._candidates(Language.MANDARIN) if self._is_quick(name)]
        voice, others = self._casting(Language.MANDARIN, quick or [ALWAYS_THERE])
        return RenderOrder(
            text=text,
            voice=voice,
            repeats=repeats,
            signal=signal or ALARM_OF[colour],
            end_signal=signal if signal is Signal.DRILL else None,
            lexicon=self.lexicon(),
            fallback=(*others, LAST_RESORT),
            timeout_s=8.0,
        )

    def sample(self, text: str, voice: VoiceSpec) -> RenderOrder:
        """Return the order for hearing a voice by itself; no other speaks in its place."""
        return RenderOrder(
            text=text, voice=voice, repeats=1, signal=None, lead_s=0.2, tail_s=0.3, lexicon=self.lexicon()
        )

    def hurried(self, order: RenderOrder) -> RenderOrder:
        """Return the same order for when somebody waits for a whole page: a second or two, and no more."""
        return replace(order, within_s=HURRY_S)

    def unhurried(self, order: RenderOrder) -> RenderOrder:
        """Return the same order for when nobody waits: the voice that is meant speaks, however long it takes."""
        return replace(order, within_s=None, timeout_s=UNHURRIED_S)

    def render(self, order: RenderOrder) -> Rendering:
        """Return the finished recording, made now or found. SpeechFailed when nobody can speak."""
        return self.library.render(order)

    def estimate_ms(self, order: RenderOrder) -> int:
        """Return how long the recording will be, without making it."""
        return estimate_ms(order)

    def pass_ms(self, order: RenderOrder) -> int:
        """Return how long one pass of the words will be, without making it."""
        return round(1000 * seconds_of(self.reading(order), order.voice, order.lexicon))

    def reading(self, order: RenderOrder) -> Reading:
        """Return what will be spoken of an order."""
        return read(order.text, order.voice.language, order.lexicon)

    def read(self, text: str) -> Reading:
        """Return what will be spoken, with every change."""
        return read(text, Language.MANDARIN, self.lexicon())

    def speaker(self, engine: str = "") -> EngineInfo | None:
        """Return who speaks: the one who speaks now, or the named one."""
        return self.library.info(engine or self.voice_for(Language.MANDARIN).engine)

    def speaking(self, language: Language = Language.MANDARIN) -> Speaking | None:
        """Return who speaks a language now; None when nobody does."""
        return self.speaking_as(self.voice_for(language))

    def speaking_as(self, voice: VoiceSpec) -> Speaking | None:
        """Return the engine and the voice that are meant by it."""
        info = self.library.info(voice.engine)
        if info is None:
            return None
        spoken = [each for each in info.voices if each.language is voice.language]
        named = [each for each in spoken if each.id == voice.voice or not voice.voice]
        return Speaking(info, named[0] if named else None)

    def voice_for(self, language: Language) -> VoiceSpec:
        """Return the voice that speaks a language now: the chosen one, or the first that can."""
        return self._casting(language, self._candidates(language))[0]

    def languages(self) -> tuple[Language, ...]:
        """Return Mandarin, and what else somebody has set up a voice for."""
        return tuple(lang for lang in Language if lang is Language.MANDARIN or self.chosen(lang) is not None)

    def _candidates(self, language: Language) -> list[str]:
        """Return the engines that may speak it, the one that is wanted first."""
        wanted = self.chosen(language)
        names = dict.fromkeys((*((wanted.engine,) if wanted else ()), *self.settings.engines))
        able = [name for name in names if (info := self.library.info(name)) and info.speaks(language)]
        return able or [ALWAYS_THERE if self.library.info(ALWAYS_THERE) else self.settings.engines[0]]

    def _casting(self, language: Language, names: list[str]) -> tuple[VoiceSpec, tuple[str, ...]]:
        """Return the voice of the first that is ready, and the others; when none is, the first will say why."""
        ready = [name for name in names if (info := self.library.info(name)) and info.ready]
        ordered = ready or names or [self.settings.engines[0]]
        return self._voice_of(ordered[0], language), tuple(ordered[1:])

    def _voice_of(self, engine: str, language: Language) -> VoiceSpec:
        wanted = self.chosen(language)
        if wanted is not None:
            return wanted if wanted.engine == engine else replace(wanted, engine=engine, voice="")
        own = engine == self.settings.engines[0] and language is Language.MANDARIN
        voice = self.settings.voice if own else ""
        return VoiceSpec(engine=engine, voice=voice, rate=self.settings.rate, language=language)

    def _is_quick(self, name: str) -> bool:
        info = self.library.info(name)
        return info is not None and info.at_once


def _at_speed(voice: VoiceSpec, speed: str) -> VoiceSpec:
    return replace(voice, rate=max(SLOWEST, min(FASTEST, round(voice.rate * SPEED[speed]))))
