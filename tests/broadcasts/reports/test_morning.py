"""The daily summary goes to whoever answers for a place: once, in the morning, and only where something is wrong."""

from datetime import timedelta

import pytest
from builders import COUNTY, NORTH, SOUTH
from conftest import NOON, SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select, update

from broadcasts.delivery.rules import Rules
from broadcasts.reports.morning import LATEST, MorningNote
from broadcasts.sms.models import SmsMessage, SmsRun
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.duty import service as duty
from hub.duty.service import PersonInput
from hub.regions.tree import path_of
from hub.residents.phones import PhoneSafe
from hub.speakers.models import Speaker
from hub.speakers.settings import CareSettings

EIGHT = NOON.replace(hour=0, minute=0)  # in Shanghai


@pytest.fixture
def note(app: OpenAPI, runtime: Runtime, clock: SetClock) -> MorningNote:
    """Three who answer: for the north, the south and the county. One loudspeaker of the north is silent."""
    clock.now = EIGHT
    with runtime.sessions.begin() as session:
        for number, code in enumerate((NORTH, SOUTH, COUNTY)):
            given = PersonInput(code, f"小云{number}", "值班员", f"1380000333{number}")
            duty.add_person(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=EIGHT)
        session.execute(update(Speaker).values(online=True))
        first = select(Speaker.id).where(Speaker.region_path.startswith(path_of(NORTH))).order_by(Speaker.id).limit(1)
        session.execute(update(Speaker).where(Speaker.id == first.scalar_subquery()).values(online=False))
    return MorningNote(runtime.sessions, runtime.get(Rules), CareSettings(), clock, lambda: "http://hub")


def written(runtime: Runtime) -> dict[str, str]:
    with runtime.sessions.read() as session:
        return dict(session.execute(select(SmsMessage.region_path, SmsRun.text).join(SmsRun)).all())


def test_who_answers_is_told_what_is_wrong_and_nobody_else(note: MorningNote, runtime: Runtime) -> None:
    note.step()
    found = written(runtime)
    assert set(found) == {path_of(NORTH), path_of(COUNTY)}, "in the south all is well"
    text = found[path_of(NORTH)]
    assert "每日小结" in text
    assert "1 只没声音了（" in text
    assert "http://hub/speakers/digest" in text


def test_once_a_day_however_many_look_and_however_often(note: MorningNote, runtime: Runtime, clock: SetClock) -> None:
    other = MorningNote(runtime.sessions, note.rules, note.care, clock, note.base_url)
    for each in (note, other, note):
        each.step()
    assert len(written(runtime)) == 2
    clock.now = EIGHT + timedelta(days=1)
    note.step()
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(SmsRun.broadcast_id)).all()) == 4


@pytest.mark.parametrize("later", [timedelta(minutes=-1), LATEST])
def test_not_before_and_not_long_after(note: MorningNote, runtime: Runtime, clock: SetClock, later: timedelta) -> None:
    clock.now = EIGHT + later
    note.step()
    assert written(runtime) == {}


def test_always_and_never(note: MorningNote, runtime: Runtime) -> None:
    note.care = CareSettings(digest_by_text="never")
    note.step()
    assert written(runtime) == {}
    note.care = CareSettings(digest_by_text="always")
    note.step()
    assert "都正常" in written(runtime)[path_of(SOUTH)]
