"""The one-tap times of the compose page."""

from datetime import date, datetime, time, timedelta

from broadcasts.delivery.quiet import QuietHours

USUAL_TIMES = ("07:00", "11:40", "17:40", "18:20")
"""When villagers are up and at home: what the one-tap times offer."""
SOON = timedelta(minutes=10)
"""A one-tap time must leave so long for the approval."""
OFFERED = 4


def usual_times(now: datetime, quiet: QuietHours) -> list[tuple[int, str, date]]:
    """Return the next one-tap times outside quiet hours: days ahead, HH:MM, and the day."""
    today = now.astimezone(quiet.zone).date()
    found = []
    for ahead in (0, 1):
        day = today + timedelta(days=ahead)
        for text in USUAL_TIMES:
            moment = datetime.combine(day, time.fromisoformat(text), tzinfo=quiet.zone)
            if moment >= now + SOON and not quiet.holds_at(moment):
                found.append((ahead, text, day))
    return found[:OFFERED]
