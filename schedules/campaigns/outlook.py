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
from schedules.campaigns.plan import Cause, Plan, plan

FIELDS = {
    Cause.LOUD: "times",
    Cause.FULL: "most_a_day",
    Cause.CROWDED: "times",
    Cause.HUSHED: "last_day",
    Cause.PAST: "last_day",
    Cause.FEW: "target",
}
"""Where each is mended."""


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
    first = min(max(period.first_day, today), period.last_day)
    known = booking.taken(session, draft.audience.paths, first=first, last=period.last_day, rules=rules, apart_from=but)
    return plan(period, lengths_ms, quiet=rules.quiet, taken=known, after=now)


def shortfall(draft: CampaignDraft, found: Plan, rules: Rules) -> BadInput | None:
    """Return what takes most of its times away and what to do, when less is left than somebody wants."""
    plays, target = len(found.plays), max(draft.target, 1)
    if plays >= target:
        return None
    return BadInput(
        found.cause.value,
        field=FIELDS[found.cause],
        plays=plays,
        target=target,
        days=len({at.astimezone(rules.zone).date() for at in found.loud}),
        most=rules.daily_minutes if found.cause is Cause.LOUD else draft.most_a_day,
        week=rules.weekly_minutes,
    )
