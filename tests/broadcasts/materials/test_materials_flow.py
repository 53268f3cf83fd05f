"""The whole way: a file is brought, agreed to, broadcast, agreed to again; a real loudspeaker fetches and sounds it."""

import io
import re
from pathlib import Path

import pytest
from builders import BRIDGE
from livehub import HORN, LiveHub, live_hub, until
from shoutlab import tone_seconds
from sqlalchemy import select
from uploadlab import a_recording
from uuid6 import uuid7

from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.materials.models import Material

pytestmark = pytest.mark.slow
HZ = 440.0


def brought(hub: LiveHub) -> Material:
    """Upload as a clerk, hand in, agree as another."""
    clerk, approver = hub.person("clerk"), hub.person("approver")
    files = {"recording": ("村歌.mp3", io.BytesIO(a_recording(4, hz=HZ)), "audio/mpeg")}
    answer = clerk.post("/materials/recording", files=files, data={"manner": "voice"})
    assert answer.status_code == 200, answer.text
    form = {"title": "村歌", "theme": "notice", "source": "文化站", "do": "submit"}
    assert clerk.post(answer.json()["url"], data=form).status_code == 200
    with hub.runtime.sessions.read() as session:
        material = session.scalars(select(Material)).one()
    seen = {"seen_hash": material.content_hash}
    assert approver.post(f"/materials/{material.id}/approve", data=seen).status_code == 200
    return material


def test_a_file_from_somebodys_telephone_sounds_in_the_village(tmp_path: Path) -> None:
    with live_hub(tmp_path) as hub:
        material = brought(hub)
        form = {
            "id": str(uuid7()),
            "title": "村歌",
            "theme": "notice",
            "repeats": "2",
            "region": BRIDGE,
            "channel": "speakers",
            "when": "now",
            "what": "recording",
            "material": str(material.id),
            "do": "submit",
        }
        assert hub.person("clerk").post("/compose", data=form).status_code == 200
        with hub.runtime.sessions.read() as session:
            announcement = session.scalars(select(Announcement)).one()
        assert re.fullmatch("[0-9a-f]{64}", announcement.content_hash)
        seen = {"seen_hash": announcement.content_hash}
        assert hub.person("approver").post(f"/approvals/{announcement.id}/approve", data=seen).status_code == 200

        def finished() -> bool:
            with hub.runtime.sessions.read() as session:
                rows = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.speaker_id == HORN))
                return any(row.state is PlayState.FINISHED for row in rows)

        until(finished, 60, what="the loudspeaker's report")
        (sounded,) = hub.sounded()
        sound, rate = hub.read(sounded)
        assert 7.0 < tone_seconds(sound, rate, hz=HZ) < 8.6, "four seconds, twice"
        assert abs(len(sound) / rate - announcement.audio_ms / 1000) < 1.0
        with hub.runtime.sessions.read() as session:
            broadcast = session.scalars(select(Broadcast)).one()
            assert broadcast.audio_sha256 == announcement.audio_sha256
            assert session.get_one(Material, material.id).used == 1
        assert list((tmp_path / "var" / "decoding").iterdir()) == []
