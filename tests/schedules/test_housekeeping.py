"""What has served its time goes; what may still sound stays."""

from datetime import timedelta

from builders import an_announcement, the_actor
from conftest import NOON
from sqlalchemy import select, update
from strangerlab import seed

import cunxiang
from broadcasts.approvals.lifecycle import State
from broadcasts.studio import Studio
from hub.accounts import sessions, signing_in
from hub.accounts.models import SignIn
from hub.accounts.throttle import Door
from hub.app import provide
from hub.core.db import Base
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


NO_SOUND = {("speaker", "settings_sha256")}


def test_no_recording_that_a_table_names_for_what_is_to_come_is_cleared_away(runtime: Runtime) -> None:
    """A row in every table; whatever new table names a recording has to be thought of in `sounds_wanted`."""
    provide(runtime, cunxiang.FEATURES)
    library = runtime.get(Studio).library
    named, unwanted = {}, library.take_in(b"ID3" + b"unwanted" * 200)
    with runtime.sessions.begin() as session:
        seed(session)
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if column.name.endswith("sha256") and (table.name, column.name) not in NO_SOUND:
                    sha = library.take_in(b"ID3" + f"{table.name}.{column.name}".encode() * 100)
                    named[f"{table.name}.{column.name}"] = sha
                    session.execute(update(table).values({column.name: sha}))
    assert len(named) >= 10
    with runtime.sessions.read() as session:
        wanted = sounds_wanted(session, NOON - timedelta(minutes=1))
    assert {name for name, sha in named.items() if sha not in wanted} == set()
    assert library.evict(0, wanted, spare_s=-60) > 0
    assert library.path_of(unwanted) is None
    assert {name for name, sha in named.items() if library.path_of(sha) is None} == set()


def test_sessions_are_forgotten_a_week_after_their_end(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        signing_in.sign_in(session, "clerk", "correct-horse-7", door=Door(), now=NOON)
        assert sessions.forget(session, now=NOON + timedelta(days=7)) == 0
        assert sessions.forget(session, now=NOON + timedelta(days=8)) == 1
        assert session.scalars(select(SignIn)).all() == []
