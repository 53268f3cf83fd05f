"""Where the hub notes that a backup was made, so that a running hub can say when the last one was."""

import json
from datetime import UTC, datetime
from pathlib import Path

NOTE = "last-backup.json"


def note_backup(data_dir: Path, *, now: datetime) -> None:
    """Note that a whole backup was written."""
    made = data_dir / f".{NOTE}.part"
    made.write_text(json.dumps({"made_at": now.astimezone(UTC).isoformat()}), encoding="utf-8")
    made.replace(data_dir / NOTE)


def latest_backup(data_dir: Path) -> datetime | None:
    """Return when the last backup was made; None if never, or if the note cannot be read."""
    try:
        found = datetime.fromisoformat(json.loads((data_dir / NOTE).read_text(encoding="utf-8"))["made_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.tzinfo else None
