"""What people of the demo said about a broadcast of yesterday evening, so that no page of theirs is empty."""

import tomllib
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.models import When
from broadcasts.announcements.sounding import record
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.feedback import intake
from broadcasts.feedback.intake import Heard
from broadcasts.feedback.kinds import ComplaintKind, Way
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.hearing import service as hearing
from broadcasts.hearing.models import HearingVerdict
from broadcasts.kinds import Theme
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.states import PlayState
from broadcasts.speech.engine import SpeechFailed
from broadcasts.studio import Studio
from broadcasts.village_pages import service as village_pages
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.db import like_below
from hub.core.runtime import Runtime
from hub.duty import handing_over
from hub.regions.tree import codes_in, path_of
from hub.speakers.models import Speaker

FILE = Path(__file__).resolve().parents[1] / "templates" / "messages" / "routine" / "examples.toml"
EVENING = 18
"""The hour at which it sounded, of the day before."""


def seed(runtime: Runtime) -> None:
    """Let something have been said yesterday, and people have their say."""
    words = tomllib.loads(FILE.read_text(encoding="utf-8"))["said"]
    local = runtime.now().astimezone(runtime.zone)
    at = (local - timedelta(days=1)).replace(hour=EVENING, minute=0, second=0, microsecond=0)
    with runtime.sessions.read() as session:
        secretary, duty, county = (_person(session, login) for login in ("secretary", "duty", "county"))
    village = secretary.scopes[0].path
    township = codes_in(duty.scopes[0].path)[-1]
    sound = _sound(runtime, township, words)
    with runtime.sessions.begin() as session:
        broadcast = _broadcast(session, township, words, sound, at)
        village_pages.set_open(session, county, codes_in(village)[-1], open_=True, now=at)
        said = Heard(ComplaintKind.TOO_LOUD, Way.PAGE, village, words["complaint"], broadcast_id=broadcast.id)
        intake.keep(session, said, settings=runtime.config.section(FeedbackSettings), at=at + timedelta(minutes=20))
        hearing.answer(
            session,
            secretary,
            broadcast.id,
            region=codes_in(village)[-1],
            verdict=HearingVerdict.HEARD,
            now=at + timedelta(minutes=5),
        )
        handing_over.write(
            session,
            duty,
            region=township,
            happened=words["handover"],
            open_matters=words["left"],
            began_at=at,
            now=at + timedelta(hours=5),
        )


def _sound(runtime: Runtime, township: str, words: dict[str, str]) -> Sound | None:
    draft = Draft(
        title=words["title"],
        text=words["text"],
        sms_text="",
        theme=Theme.NOTICE,
        audience=Audience((township,)),
        when=When.NOW,
    )
    try:
        rendering = record(runtime.get(Studio), draft, hurried=True)
    except SpeechFailed:
        return None
    return Sound(rendering.sha256, rendering.duration_ms, rendering.bytes)


def _broadcast(
    session: Session, township: str, words: dict[str, str], sound: Sound | None, at: datetime
) -> Broadcast:  # fmt: skip
    ms = sound.ms if sound else 0
    ended = at + timedelta(milliseconds=ms)
    path = path_of(township)
    here = Speaker.region_path.like(like_below(path)) & Speaker.drill.is_(False)
    horns = session.scalars(select(Speaker).where(here)).all()
    broadcast = Broadcast(
        id=uuid7(),
        source="demo:yesterday",
        kind=Kind.ROUTINE,
        title=words["title"],
        text=words["text"],
        sms_text="",
        audience=Audience((township,)).as_json(),
        home_path=path,
        audio_sha256=sound.sha256 if sound else "",
        audio_ms=ms,
        audio_bytes=sound.bytes if sound else 0,
        speakers_meant=len(horns),
        released_at=at,
        starts_at=at,
        expires_at=ended,
        released_by=None,
        released_by_name="system",
        state=BroadcastState.DONE,
        done_at=ended,
    )
    session.add(broadcast)
    session.flush()
    command = uuid7()
    session.add_all(
        SpeakerDelivery(
            broadcast_id=broadcast.id,
            speaker_id=horn.id,
            region_path=horn.region_path,
            command_id=command,
            state=PlayState.FINISHED,
            received_at=at,
            fetched_at=at,
            started_at=at,
            ended_at=ended,
            played_ms=ms,
            used="audio",
            changed_at=ended,
        )
        for horn in horns
    )
    session.flush()
    return broadcast


def _person(session: Session, login: str) -> Actor:
    account = session.scalars(select(Account).where(Account.login == login)).one()
    return actor_for(session, account, origin="demo")
