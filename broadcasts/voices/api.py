"""Voices, for programs: which there are, which speaks, and choosing."""

from flask import Response
from pydantic import Field, StrictInt

from broadcasts.speech.engine import FASTEST, LOUDEST_DB, QUIETEST_DB, SLOWEST, Language
from broadcasts.studio import Studio
from broadcasts.voices import listing, service
from broadcasts.voices.choices import Choices
from broadcasts.voices.service import Wish
from hub.core.runtime import runtime
from hub.web.api import Input, Output, answers, room, say
from hub.web.guards import permission_required
from hub.web.work import actor, now, work

bp = room("voices", "Which voice speaks which language.")


class LanguagePath(Input):
    """Which language."""

    language: Language


class VoiceIn(Input):
    """The voice that is to speak."""

    engine: str = Field(max_length=30)
    voice: str = Field(max_length=60)
    rate: StrictInt = Field(150, ge=SLOWEST, le=FASTEST, description="words a minute; 150 is normal")
    pitch: StrictInt = Field(50, ge=0, le=100, description="for engines that are pitched")
    gain_db: float = Field(0.0, ge=QUIETEST_DB, le=LOUDEST_DB, description="louder or softer than usual")


class VoiceOut(Output):
    """One voice."""

    engine: str
    voice: str
    language: Language
    ready: bool = Field(description="whether its engine can speak on this machine now")
    human: bool = Field(description="whether it sounds like a person")
    emergencies: bool = Field(description="whether it may speak emergencies: at once and without a line")
    speaks: bool = Field(description="whether it is the one that is heard now")


class Voices(Output):
    """All voices."""

    items: list[VoiceOut]


@bp.get("/voices", responses=answers(Voices, 403))
@permission_required(service.PERMISSION)
def list_voices() -> Response:
    """List the voices there are, by language."""
    return say(_every())


@bp.put("/voices/<string:language>", responses=answers(Voices, 403, 404))
@permission_required(service.PERMISSION)
def choose_voice(path: LanguagePath, body: VoiceIn) -> Response:
    """Let a voice speak a language from now on. What is approved already sounds as it was approved."""
    info = runtime().get(Studio).library.info(body.engine)
    with work() as session:
        service.choose(session, actor(), Wish(path.language, **body.model_dump()), info, now=now())
    runtime().get(Choices).forget()
    return say(_every())


@bp.delete("/voices/<string:language>", responses=answers(Voices, 403, 404))
@permission_required(service.PERMISSION)
def forget_voice(path: LanguagePath) -> Response:
    """Go back to the voice that is configured."""
    with work() as session:
        service.forget(session, actor(), path.language, now=now())
    runtime().get(Choices).forget()
    return say(_every())


def _every() -> Voices:
    found = listing.tongues(runtime().get(Studio))
    return Voices(
        items=[
            VoiceOut(
                engine=offer.engine.name,
                voice=offer.voice.id,
                language=tongue.language,
                ready=offer.engine.ready,
                human=offer.voice.human,
                emergencies=offer.engine.at_once,
                speaks=offer.speaks,
            )
            for tongue in found
            for offer in tongue.offers
        ]
    )
