"""What will happen if this goes out: where it sounds, how long, when, whom it texts, what that costs."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.announcements import fitting
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.fitting import Fit
from broadcasts.announcements.sounding import Sounding
from broadcasts.announcements.telephones import Texting, texting
from broadcasts.announcements.timing import Timetable, Wanted
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker.targets import Meant, count
from broadcasts.sms.sending import outbox
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.models import Speaker

DAYS_LOOKED = 7
"""So many days ahead a calmer one is looked for."""
VILLAGE_DEPTH = 3
"""A village's path holds county, township and village."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where it sounds. `villages` are those with at least one loudspeaker."""

    villages: int
    speakers: int
    offline: int
    residents: int
    left_out: int
    """Loudspeakers there that were unticked."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything a page says about an announcement before it goes out."""

    draft: Draft
    places: tuple[str, ...]
    reach: Reach
    texting: Texting | None
    sounding: Sounding
    fit: Fit
    late: timedelta
    """How late a loudspeaker that was away may still start."""


def look(
    session: Session, draft: Draft, sounding: Sounding, *, rules: Rules, timetable: Timetable, now: datetime
) -> Outlook:
    """Look ahead. Asks for no permission: the caller has checked the audience."""
    paths = draft.audience.paths
    busy = timetable.busy_on(session, paths, fitting.day_of(draft, rules.zone, now)) if paths else []
    length = draft.relay.ms if draft.relay else sounding.total_ms
    fit = fitting.fit(draft, busy, length, quiet=rules.quiet, now=now)
    if paths and draft.audience.speakers and fit.start is not None:
        fit = _with_noise(session, draft, fit, length, rules=rules, timetable=timetable, now=now)
    return Outlook(
        draft=draft,
        places=_places(session, draft.audience),
        reach=_reach(session, draft.audience),
        texting=texting(session, draft, fit, rules, now) if draft.audience.sms else None,
        sounding=sounding,
        fit=fit,
        late=rules.valid,
    )


def _with_noise(
    session: Session, draft: Draft, fit: Fit, ms: int, *, rules: Rules, timetable: Timetable, now: datetime
) -> Fit:
    """Add how much villages would hear; where it is too much, look for a calmer day of the week ahead."""
    start = fit.start or now
    paths = draft.audience.paths
    noise = timetable.noise_with(session, Wanted(paths, start, ms, draft.volume))
    if noise is None or not noise.is_over:
        return replace(fit, noise=noise)
    for ahead in range(1, DAYS_LOOKED + 1):
        day = fit.day + timedelta(days=ahead)
        other = fitting.calmer(fit, draft, ms, day, timetable.busy_on(session, paths, day), rules.quiet)
        if other is None:
            continue
        then = timetable.noise_with(session, Wanted(paths, other, ms, draft.volume))
        if then is not None and not then.is_over:
            days_ahead = (day - now.astimezone(rules.zone).date()).days
            return replace(fit, noise=noise, calm=other, calm_days_ahead=days_ahead)
    return replace(fit, noise=noise)


def _places(session: Session, audience: Audience) -> tuple[str, ...]:
    codes = [path.rstrip("/").rpartition("/")[2] for path in audience.paths]
    names = regions.names(session, set(codes))
    return tuple(names[code] for code in codes if code in names)


def _reach(session: Session, audience: Audience) -> Reach:
    paths = audience.paths
    if not paths:
        return Reach(0, 0, 0, 0, 0)
    chosen = Meant(paths, audience.only, audience.without)
    rows = session.execute(
        select(Speaker.region_path, Speaker.online, func.count())
        .where(chosen.where)
        .group_by(Speaker.region_path, Speaker.online)
    ).all()
    return Reach(
        villages=len({codes_in(path)[:VILLAGE_DEPTH] for path, _, _ in rows}),
        speakers=sum(number for _, _, number in rows),
        offline=sum(number for _, online, number in rows if not online),
        left_out=count(session, Meant(paths)) - sum(number for _, _, number in rows),
        residents=outbox.reach(session, Audience(tuple(codes_in(p)[-1] for p in paths))).residents,
    )
