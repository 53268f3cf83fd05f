"""What was added up days ago, counted by the database alone: a year of a county is some thousand rows in the end."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Kind
from broadcasts.delivery.quiet import QuietHours
from broadcasts.kinds import Theme
from broadcasts.loudspeaker.models import VillageSum
from broadcasts.reports.counted import Places, Window, below

V = VillageSum


def count(session: Session, paths: Sequence[str], window: Window, quiet: QuietHours, found: Places) -> None:
    """Add it to the figures of each place."""
    wanted = (
        V.released_at >= window.start,
        V.released_at < window.end,
        V.kind != Kind.DRILL.value,
        below(V.region_path, paths),
    )
    by_kind = (
        select(
            V.region_path,
            V.kind,
            V.theme,
            func.count(V.day),
            func.sum(V.meant),
            func.sum(V.answered),
            func.sum(V.finished),
            func.sum(V.played_ms),
        )
        .where(*wanted)
        .group_by(V.region_path, V.kind, V.theme)
    )
    for path, kind, theme, heard, meant, answered, finished, played_ms in session.execute(by_kind):
        figures = found[path]
        figures.items += heard
        figures.meant += int(meant)
        figures.answered += int(answered)
        figures.finished += int(finished)
        figures.played_ms += int(played_ms)
        figures.emergencies += heard if kind == Kind.EMERGENCY.value else 0
        if theme and heard:
            figures.themes[Theme(theme)] = figures.themes.get(Theme(theme), 0) + heard
    by_day = (
        select(V.region_path, V.day, func.count()).where(*wanted, V.day.is_not(None)).group_by(V.region_path, V.day)
    )
    for path, day, heard in session.execute(by_day):
        if day is not None:
            found[path].by_day[day] = found[path].by_day.get(day, 0) + heard
    routine = (*wanted, V.minute.is_not(None), V.kind != Kind.EMERGENCY.value)
    by_minute = select(V.region_path, V.minute, func.count()).where(*routine).group_by(V.region_path, V.minute)
    for path, minute, heard in session.execute(by_minute):
        found[path].quiet += heard if minute is not None and quiet.holds_minute(minute) else 0
