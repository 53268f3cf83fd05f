"""A campaign in a running hub: a loudspeaker plays its texts, and the coverage equals a recount of its receipts."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from builders import BRIDGE, the_actor
from livehub import HORN, LiveHub, live_hub, until
from sqlalchemy import func, select

from broadcasts.announcements.models import Announcement
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Theme
from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.studio import Studio
from hub.core.runtime import Runtime
from schedules.campaigns import booking, handing_in, progress, service
from schedules.campaigns.drafting import CampaignDraft, Words
from schedules.campaigns.models import Campaign
from schedules.campaigns.outlook import Desk
from schedules.campaigns.progress import Progress

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[LiveHub]:
    with live_hub(tmp_path_factory.mktemp("campaign")) as running:
        yield running


def an_approved_campaign(runtime: Runtime) -> UUID:
    desk, now = Desk(runtime.get(Rules), runtime.get(Timetable)), runtime.now()
    tomorrow = now.astimezone(runtime.zone).date() + timedelta(days=1)
    draft = CampaignDraft(
        title="防溺水",
        theme=Theme.SAFETY,
        audience=Audience((BRIDGE,)),
        first_day=tomorrow,
        last_day=tomorrow + timedelta(days=1),
        times=("11:50",),
        target=2,
        texts=(Words("一", "看好孩子。"), Words("二", "不要下河。")),
    )
    with runtime.sessions.begin() as session:
        clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
        made = service.create(session, clerk, draft, now=now)
    seen = handing_in.hand_in(runtime, clerk, made.id, desk=desk, now=now).content_hash
    with runtime.sessions.begin() as session:
        handing_in.approve_as_seen(session, runtime.get(Studio), approver, made.id, seen, desk=desk, now=now)
    return made.id


def bring_forward(runtime: Runtime, campaign_id: UUID) -> None:
    """Let the texts sound in a few seconds, one after the other, instead of tomorrow."""
    with runtime.sessions.begin() as session:
        for n, text in enumerate(session.get_one(Campaign, campaign_id).texts):
            announcement = session.get_one(Announcement, text.announcement_id)
            at = runtime.now() + timedelta(seconds=3 + 8 * n)
            booking.book(session, announcement, [at], zone=runtime.zone, now=runtime.now())


def finished(runtime: Runtime) -> int:
    """Count what the loudspeaker itself says it played to the end, from the receipts as they came.

    It says so of its settings and of the nightly patrol too.
    """
    plays = select(SpeakerDelivery.command_id).where(SpeakerDelivery.speaker_id == HORN)
    query = select(func.count(PlayReceipt.command_id.distinct())).where(
        PlayReceipt.speaker_id == HORN, PlayReceipt.state == "finished", PlayReceipt.command_id.in_(plays)
    )
    with runtime.sessions.read() as session:
        return session.scalar(query) or 0


def coverage(runtime: Runtime, campaign_id: UUID) -> Progress:
    with runtime.sessions.read() as session:
        return progress.of(session, the_actor(session, "clerk"), session.get_one(Campaign, campaign_id))


def test_coverage_equals_the_receipts_of_a_loudspeaker_that_played_it(hub: LiveHub, tmp_path: Path) -> None:
    runtime = hub.runtime
    campaign_id = an_approved_campaign(runtime)
    bring_forward(runtime, campaign_id)
    until(lambda: finished(runtime) == 2, 60, what="both texts played to the end")
    # A receipt is kept first and applied right after.
    until(lambda: coverage(runtime, campaign_id).heard_somewhere and coverage(runtime, campaign_id).reached, 10)
    found = coverage(runtime, campaign_id)
    (village,) = found.villages
    assert (village.code, village.heard, village.out) == (BRIDGE, finished(runtime), 2)
    assert village.whole == 0, "the other two loudspeakers of the village never answered"
    assert village.reached
    assert [(text.out, text.villages) for text in found.texts] == [(1, 1), (1, 1)]
    assert found.to_come == 2, "tomorrow's are still to come"
    assert len(hub.sounded()) == 2
