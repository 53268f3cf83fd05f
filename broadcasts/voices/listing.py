"""What the page of voices shows: every language, who could speak it, and who does."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from broadcasts.speech.engine import EngineInfo, Language, VoiceInfo, VoiceSpec
from broadcasts.studio import LAST_RESORT, Speaking, Studio

SAMPLES = Path(__file__).resolve().parents[2] / "templates" / "messages" / "voice-samples.toml"


@dataclass(frozen=True, slots=True)
class Offer:
    """One voice that could be chosen."""

    engine: EngineInfo
    voice: VoiceInfo
    chosen: bool
    speaks: bool
    """It is the one that is heard now."""

    @property
    def key(self) -> str:
        """Return its name in addresses."""
        return f"{self.engine.name}:{self.voice.id}"


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language: who speaks it now, who could, and how."""

    language: Language
    now: Speaking | None
    offers: tuple[Offer, ...]
    spec: VoiceSpec
    """The settings that hold: chosen ones, or those of the configuration."""
    chosen: bool

    @property
    def missing(self) -> bool:
        """Return whether the chosen voice cannot speak and another one does in its place."""
        wanted = next((offer for offer in self.offers if offer.chosen), None)
        return wanted is not None and not wanted.engine.ready


def tongues(studio: Studio) -> tuple[Tongue, ...]:
    """Return every language; nothing is spoken."""
    infos = engines(studio)
    return tuple(_tongue(studio, language, infos) for language in Language)


def engines(studio: Studio) -> tuple[EngineInfo, ...]:
    """Return every engine that is here, ready or not, but for the beeps: nobody chooses them."""
    found = (studio.library.info(name) for name in studio.library.engines() if name != LAST_RESORT)
    return tuple(sorted((info for info in found if info), key=lambda info: (not info.ready, info.at_once, info.name)))


def sample_of(language: Language) -> str:
    """Return the sentence in which a voice of that language introduces itself."""
    return _samples()[language]


def parse_key(key: str) -> tuple[str, str]:
    """Return engine and voice that `Offer.key` stands for."""
    engine, _, voice = key.partition(":")
    return engine, voice


def _tongue(studio: Studio, language: Language, infos: tuple[EngineInfo, ...]) -> Tongue:
    chosen, spec = studio.chosen(language), studio.voice_for(language)
    now = studio.speaking(language)
    heard = (now.engine.name, now.voice.id) if now and now.voice else None
    offers = tuple(
        Offer(
            info,
            voice,
            chosen=chosen is not None and (chosen.engine, chosen.voice) == (info.name, voice.id),
            speaks=heard == (info.name, voice.id),
        )
        for info in infos
        for voice in info.voices
        if voice.language is language
    )
    return Tongue(language, now, offers, chosen or spec, chosen is not None)


@cache
def _samples() -> dict[str, str]:
    return {str(key): str(value) for key, value in tomllib.loads(SAMPLES.read_text(encoding="utf-8")).items()}
