"""Choose the voice of a language, or go back to what is configured."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.speech.engine import FASTEST, LOUDEST_DB, QUIETEST_DB, SLOWEST, EngineInfo, Language, VoiceSpec
from broadcasts.voices.models import VoiceChoice
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, Problems
from hub.regions.models import Region
from hub.regions.tree import Level

PERMISSION = Permission.EDIT_REGIONS
"""Held for a whole county by its administrator: a voice is heard everywhere."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The voice somebody wants for a language."""

    language: Language
    engine: str
    voice: str
    rate: int = 150
    pitch: int = 50
    gain_db: float = 0.0


def all_chosen(session: Session) -> dict[Language, VoiceSpec]:
    """Return what was chosen, by language."""
    return {each.language: as_spec(each) for each in session.scalars(select(VoiceChoice))}


def count_chosen(session: Session, actor: Actor) -> int:
    """Return for how many languages a voice was chosen, for the first run."""
    return session.scalar(select(func.count()).select_from(VoiceChoice)) or 0


def as_spec(choice: VoiceChoice) -> VoiceSpec:
    """Return a choice as engines are given it."""
    return VoiceSpec(
        engine=choice.engine,
        voice=choice.voice,
        rate=choice.rate,
        pitch=choice.pitch,
        language=choice.language,
        gain_db=choice.gain_db,
    )


def spec_of(wish: Wish, info: EngineInfo | None) -> VoiceSpec:
    """Return a wish as engines are given it. Problems when there is no such voice, or a number is out of bounds."""
    found: list[BadInput] = []
    if info is None or not any(v.id == wish.voice and v.language is wish.language for v in info.voices):
        found.append(BadInput("voice_unknown", field="voice"))
    if not SLOWEST <= wish.rate <= FASTEST:
        found.append(BadInput("voice_rate_range", field="rate", least=SLOWEST, most=FASTEST))
    if not 0 <= wish.pitch <= 100:
        found.append(BadInput("voice_pitch_range", field="pitch"))
    if not QUIETEST_DB <= wish.gain_db <= LOUDEST_DB:
        found.append(BadInput("voice_gain_range", field="gain_db", least=round(QUIETEST_DB), most=round(LOUDEST_DB)))
    if found:
        raise Problems(found)
    return VoiceSpec(
        engine=wish.engine,
        voice=wish.voice,
        rate=wish.rate,
        pitch=wish.pitch,
        language=wish.language,
        gain_db=wish.gain_db,
    )


def choose(session: Session, actor: Actor, wish: Wish, info: EngineInfo | None, *, now: datetime) -> VoiceChoice:
    """Let that voice speak from now on; what was approved already sounds as it was approved.

    `info` is the engine the wish names, None if there is none. A voice that is not ready yet may be chosen: until it
    is, the next engine speaks.
    """
    _require(session, actor)
    spec = spec_of(wish, info)
    choice = session.get(VoiceChoice, wish.language) or VoiceChoice(language=wish.language)
    choice.engine, choice.voice = spec.engine, spec.voice
    choice.rate, choice.pitch, choice.gain_db = spec.rate, spec.pitch, spec.gain_db
    choice.by, choice.at = actor.name, now
    session.add(choice)
    _note(session, actor, "voice.choose", wish.language, now, engine=spec.engine, voice=spec.voice)
    return choice


def forget(session: Session, actor: Actor, language: Language, *, now: datetime) -> bool:
    """Go back to what is configured; return whether anything had been chosen."""
    _require(session, actor)
    choice = session.get(VoiceChoice, language)
    if choice is None:
        return False
    session.delete(choice)
    _note(session, actor, "voice.forget", language, now)
    return True


def may_choose(session: Session, actor: Actor) -> bool:
    """Return whether they answer for everything that hears these voices."""
    tops = _tops(session)
    return bool(tops) and all(actor.may(PERMISSION, path) for path in tops)


def _require(session: Session, actor: Actor) -> None:
    if not may_choose(session, actor):
        raise NotAllowed("not_allowed", permission=PERMISSION.value)


def _tops(session: Session) -> list[str]:
    return list(session.scalars(select(Region.path).where(Region.level == Level.COUNTY)))


def _note(session: Session, actor: Actor, deed: str, language: Language, now: datetime, **details: str) -> None:
    top = min(_tops(session), key=len)
    log.record(session, actor, deed, f"voice:{language}", top, now, **details)
