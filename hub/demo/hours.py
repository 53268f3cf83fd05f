"""The demo's quiet hours: at the first start so that there is time to try it, and kept as long as they leave some."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
KEPT = "quiet-hours.txt"
AHEAD, LAST = timedelta(hours=8), timedelta(hours=8)
ROOM = timedelta(hours=1)
"""With less time until they begin, or in the midst of them, there is nothing to try."""
_RANGE = re.compile(r"([01]\d|2[0-3]):00-([01]\d|2[0-3]):00")


def settle(folder: Path, now: datetime) -> str:
    """Return the quiet hours of a demo in that folder: those of an earlier start if they leave time, else new ones."""
    before = kept(folder)
    if before and not _hold(before, now) and not _hold(before, now + ROOM):
        return before
    start = (now.astimezone(ZONE) + AHEAD).replace(minute=0)
    return f"{start:%H:%M}-{start + LAST:%H:%M}"


def kept(folder: Path) -> str:
    """Return what an earlier start settled; empty when there was none."""
    path = folder / KEPT
    found = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    return found if _RANGE.fullmatch(found) else ""


def keep(folder: Path, hours: str) -> None:
    """Keep them for the next start."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEPT).write_text(hours + "\n", encoding="utf-8")


def _hold(hours: str, moment: datetime) -> bool:
    first, last = (int(part[:2]) for part in hours.split("-"))
    hour = moment.astimezone(ZONE).hour
    return first <= hour < last if first < last else hour >= first or hour < last
