"""The studio: words in, a finished recording out, with the tone that fits what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass

from broadcasts.kinds import Colour, Theme
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, VoiceSpec
from broadcasts.speech.library import Library, Rendering, RenderOrder, estimate_ms
from broadcasts.speech.reading import Reading, as_read
from broadcasts.speech.signals import Signal

SPEED: Mapping[str, float] = {"slow": 0.85, "normal": 1.0, "fast": 1.15}
SIGNAL_OF: Mapping[Theme, Signal] = {
    Theme.NOTICE: Signal.ROUTINE,
    Theme.SAFETY: Signal.SAFETY,
    Theme.FRAUD: Signal.SAFETY,
    Theme.LAW: Signal.ROUTINE,
}
ALARM_OF: Mapping[Colour, Signal] = {
    Colour.RED: Signal.RED,
    Colour.ORANGE: Signal.ORANGE,
    Colour.YELLOW: Signal.YELLOW,
    Colour.BLUE: Signal.BLUE,
}
LAST_RESORT = "tone"
"""When no voice speaks, an emergency still sounds: its alarm tone and beeps. Never for anything routine."""


@dataclass(frozen=True)
class Studio:
    """Renders announcements and alarms through the library."""

    library: Library
    settings: SpeechSettings

    def announcement(self, text: str, *, theme: Theme, speed: str, repeats: int) -> RenderOrder:
        """Return the order for an announcement."""
        return RenderOrder(
            text=text,
            voice=self._voice(speed),
            repeats=repeats,
            signal=SIGNAL_OF[theme],
            fallback=self.settings.engines[1:],
        )

    def alarm(self, text: str, *, colour: Colour, repeats: int) -> RenderOrder:
        """Return the order for an emergency."""
        return RenderOrder(
            text=text,
            voice=self._voice("normal"),
            repeats=repeats,
            signal=ALARM_OF[colour],
            fallback=(*self.settings.engines[1:], LAST_RESORT),
            timeout_s=8.0,
        )

    def render(self, order: RenderOrder) -> Rendering:
        """Return the finished recording, made now or found. SpeechFailed when nobody can speak."""
        return self.library.render(order)

    def estimate_ms(self, order: RenderOrder) -> int:
        """Return how long the recording will be, without making it."""
        return estimate_ms(order)

    def read(self, text: str) -> Reading:
        """Return what will be spoken, with every change."""
        return as_read(text)

    def speaker(self, engine: str = "") -> EngineInfo | None:
        """Return who speaks: the preferred engine, or the named one."""
        return self.library.info(engine or self.settings.engines[0])

    def _voice(self, speed: str) -> VoiceSpec:
        rate = round(self.settings.rate * SPEED[speed])
        return VoiceSpec(engine=self.settings.engines[0], voice=self.settings.voice, rate=max(80, min(300, rate)))
