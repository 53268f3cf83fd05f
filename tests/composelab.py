"""What tests of the compose and approval pages share: a filled form, people with telephones, a voice that fails."""

import re
from collections.abc import Callable, Mapping
from html import unescape
from uuid import UUID

from builders import BRIDGE
from conftest import NOON
from flask.testing import FlaskClient
from sqlalchemy import select
from uuid6 import uuid7

from broadcasts.announcements.models import Announcement
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, Script, SpeechFailed, VoiceSpec
from broadcasts.speech.library import Library
from broadcasts.studio import Studio
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput

SignIn = Callable[[str], FlaskClient]
Typed = Mapping[str, object]
FETCH = {"X-Requested-With": "fetch"}
HTMX = {"HX-Request": "true"}


def a_form(**given: object) -> dict[str, object]:
    """Return what a browser sends of a compose form that could be submitted."""
    fields: dict[str, object] = {
        "id": str(uuid7()),
        "title": "防诈骗提醒",
        "text": "拿不准，先打96110问一问。",
        "sms_text": "",
        "theme": "notice",
        "speed": "normal",
        "repeats": "2",
        "volume": "",
        "region": [BRIDGE],
        "channel": ["speakers"],
        "when": "now",
    }
    return fields | given


def submitted(browser: FlaskClient, **given: object) -> UUID:
    """Submit a form and return the announcement's id."""
    answer = browser.post("/compose", data=a_form(**given) | {"do": "submit"})
    assert answer.status_code == 302, said(answer.text)
    return UUID(answer.location.rpartition("/")[2])


def stored(runtime: Runtime, announcement_id: UUID) -> Announcement:
    """Return an announcement as it is kept."""
    with runtime.sessions.read() as session:
        return session.get_one(Announcement, announcement_id)


def all_stored(runtime: Runtime) -> list[Announcement]:
    """Return every announcement there is."""
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Announcement)))


def residents_in(runtime: Runtime, region: str, *numbers: str, tags: tuple[str, ...] = ()) -> None:
    """Put one resident for each number on the list."""
    safe = runtime.get(PhoneSafe)
    with runtime.sessions.begin() as session:
        for number in numbers:
            given = ResidentInput(name="李秀英", region_code=region, phones=(number,), tags=tags)
            residents.add_resident(session, SYSTEM, given, safe=safe, now=NOON)


class MuteEngine:
    """Has no voice today."""

    name = "mute"

    def info(self) -> EngineInfo:
        return EngineInfo("mute", "哑巴", "1", (), reproducible=True, ready=True)

    def fingerprint(self, voice: VoiceSpec) -> str:
        return "mute"

    def synthesize(self, script: Script, voice: VoiceSpec, target: object, *, timeout_s: float) -> None:
        raise SpeechFailed("今天嗓子哑了", retryable=True)


def strike_dumb(runtime: Runtime) -> None:
    """Take the hub's voice away."""
    library = Library(runtime.config.data_dir / "dumb", {"mute": MuteEngine()})
    runtime.provide(Studio, Studio(library, SpeechSettings(engines=("mute",))))


def said(page: str) -> str:
    """Return the words of a page without tags and line breaks."""
    page = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", page)))


def part(page: str, wanted: str) -> str:
    """Return the words of the element with that id (to the end of the page: enough to look into)."""
    return said(page[page.index(f'id="{wanted}"') :].partition(">")[2])
