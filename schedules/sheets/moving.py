"""Where else a slot could go that meets something: the nearest time of day free on every day it comes round."""

from collections.abc import Sequence
from datetime import timedelta

from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.visibility import touches
from schedules.rehearsal import Showing, Trouble

STEP = timedelta(minutes=5)
FURTHEST = 36
"""Three hours to either side."""
MOVED_BY = frozenset({Trouble.QUIET, Trouble.CLASH, Trouble.YIELDS})
"""What another time mends."""


def free_time(own: Sequence[Showing], all_: Sequence[Showing], quiet: QuietHours) -> str:
    """Return the nearest time of day at which a slot met nothing in that week; '' when it meets nothing, or none is."""
    if not any(finding.trouble in MOVED_BY for one in own for finding in one.findings):
        return ""
    slot_id, paths = own[0].line.slot_id, own[0].line.audience.paths
    others = [
        one
        for one in all_
        if one.line.slot_id != slot_id and not one.line.gone and touches(one.line.audience.paths, paths)
    ]
    for number in range(1, FURTHEST + 1):
        for shift in (number * STEP, -number * STEP):
            if all(_fits(one, shift, others, quiet) for one in own):
                return f"{(own[0].line.due_at + shift).astimezone(quiet.zone):%H:%M}"
    return ""


def _fits(one: Showing, shift: timedelta, others: Sequence[Showing], quiet: QuietHours) -> bool:
    start, end = one.line.due_at + shift, one.end + shift
    if start.astimezone(quiet.zone).date() != one.line.due_at.astimezone(quiet.zone).date():
        return False
    if quiet.touches(start, (end - start).total_seconds()):
        return False
    return not any(other.line.due_at < end and start < other.end for other in others)
