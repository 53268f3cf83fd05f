"""What tests of campaigns share: one to write, hand in and let run."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from builders import NORTH, the_actor
from deliverylab import Air

from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Theme
from broadcasts.studio import Studio
from broadcasts.texts import shelf
from hub.core.runtime import Runtime
from schedules.campaigns import forms, handing_in, service
from schedules.campaigns.drafting import CampaignDraft
from schedules.campaigns.models import Campaign
from schedules.campaigns.outlook import Desk


def a_campaign(**given: object) -> CampaignDraft:
    """Return a campaign that could be handed in: three texts, twice a day, Tuesday to Friday."""
    texts = tuple(
        forms.ready(text) for key in ("fraud_rebate", "fraud_police", "fraud_voice") if (text := shelf.find(key))
    )
    draft = CampaignDraft(
        title="冬季防诈骗",
        theme=Theme.FRAUD,
        departments=("派出所",),
        audience=Audience((NORTH,)),
        first_day=date(2026, 11, 24),
        last_day=date(2026, 11, 27),
        times=("11:50", "17:50"),
        target=5,
        texts=texts,
    )
    return replace(draft, **given)  # type: ignore[arg-type]


@dataclass
class Office:
    """The clerk writes, the approver agrees, time passes."""

    runtime: Runtime
    air: Air

    @property
    def desk(self) -> Desk:
        return Desk(self.runtime.get(Rules), self.runtime.get(Timetable))

    def write(self, **given: object) -> UUID:
        """Have the clerk write one."""
        with self.runtime.sessions.begin() as session:
            actor = the_actor(session, "clerk")
            return service.create(session, actor, a_campaign(**given), now=self.air.clock.now).id

    def hand_in(self, campaign_id: UUID, login: str = "clerk") -> Campaign:
        with self.runtime.sessions.read() as session:
            actor = the_actor(session, login)
        return handing_in.hand_in(self.runtime, actor, campaign_id, desk=self.desk, now=self.air.clock.now)

    def approve(self, campaign_id: UUID, login: str = "approver", seen: str = "") -> Campaign:
        with self.runtime.sessions.read() as session:
            actor = the_actor(session, login)
            seen = seen or session.get_one(Campaign, campaign_id).content_hash
        studio = self.runtime.get(Studio)
        with self.runtime.sessions.begin() as session:
            return handing_in.approve_as_seen(
                session, studio, actor, campaign_id, seen, desk=self.desk, now=self.air.clock.now
            )

    def run(self, **given: object) -> UUID:
        campaign_id = self.write(**given)
        self.hand_in(campaign_id)
        self.approve(campaign_id)
        return campaign_id
