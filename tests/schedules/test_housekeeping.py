"""What has served its time goes; what may still sound stays."""

from datetime import timedelta

from builders import an_announcement, the_actor
from conftest import NOON
from sqlalchemy import select

from broadcasts.approvals.lifecycle import State
from hub.accounts import sessions, signing_in
from hub.accounts.models import SignIn
from hub.accounts.throttle import Door
from hub.core.runtime import Runtime
from schedules.housekeeping import sounds_wanted


def test_recordings_of_announcements_stay_until_they_are_withdrawn(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        kept, gone = an_announcement(session, clerk), an_announcement(session, clerk)
        kept.audio_sha256, gone.audio_sha256 = "a" * 64, "b" * 64
        gone.state = State.WITHDRAWN
        session.flush()
        assert sounds_wanted(session, NOON) == {"a" * 64}


def test_sessions_are_forgotten_a_week_after_their_end(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        signing_in.sign_in(session, "clerk", "correct-horse-7", door=Door(), now=NOON)
        assert sessions.forget(session, now=NOON + timedelta(days=7)) == 0
        assert sessions.forget(session, now=NOON + timedelta(days=8)) == 1
        assert session.scalars(select(SignIn)).all() == []
