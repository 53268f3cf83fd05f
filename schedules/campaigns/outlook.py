"""What a campaign would add to the timetable, before anybody agrees to it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.timing import Timetable
from broadcasts.delivery.rules import Rules
from hub.core.errors import BadInput
from schedules.campaigns import booking
from schedules.campaigns.drafting import CampaignDraft, as_draft
from schedules.campaigns.models import Campaign
from schedules.campaigns.plan import Plan, plan


@dataclass(frozen=True)
class Desk:
    """What every step needs of the hub: the county's rules, and the timetable's door."""

    rules: Rules
    timetable: Timetable


def outlook(session: Session, campaign: Campaign, desk: Desk, now: datetime) -> Plan:
    """Return what the timetable would hold of it were it approved now; nothing while days or times are missing."""
    return foresee(session, as_draft(campaign), [t.audio_ms for t in campaign.texts], desk, now, but=campaign.id)


def foresee(
    session: Session, draft: CampaignDraft, lengths_ms: list[int], desk: Desk, now: datetime, *, but: UUID | None = None
) -> Plan:
    """Return the plan of a draft whose texts are so long."""
    period, rules = draft.period, desk.rules
    if period is None or not lengths_ms or not draft.audience.regions:
        return Plan(())
    today = now.astimezone(rules.zone).date()
    first = max(period.first_day, today)
    if period.last_day < first:
        return Plan(())
    known = booking.taken(session, draft.audience.paths, first=first, last=period.last_day, rules=rules, apart_from=but)
    return plan(period, lengths_ms, quiet=rules.quiet, taken=known, after=now)


def require_worth(target: int, found: Plan, desk: Desk) -> None:
    """Raise BadInput when what is left of it is not worth the trouble, saying what takes it away."""
    loud = len({at.astimezone(desk.rules.zone).date() for at in found.loud})
    if loud and len(found.plays) < max(target, 1):
        raise BadInput(
            "campaign_over_budget", field="times", days=loud, most=desk.rules.daily_minutes,
            week=desk.rules.weekly_minutes,
        )  # fmt: skip
    if not found.plays:
        raise BadInput("campaign_nothing_left", field="times")
    if len(found.plays) < target:
        raise BadInput("campaign_too_few", field="target", target=target, plays=len(found.plays))
