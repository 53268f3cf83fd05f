"""What rooms add to a backup, and what they set right after one was put back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Moment:
    """When a backup was made, and when it was put back."""

    made_at: datetime
    restored_at: datetime


KeptFiles = Callable[[Session], Iterable[Path]]
SetRight = Callable[[Session, Moment], int]


class Keeping:
    """Files that cannot be made anew, and what must not go on where the backup stopped."""

    def __init__(self) -> None:
        self._files: list[KeptFiles] = []
        self._set_right: list[SetRight] = []

    def keep(self, files: KeptFiles) -> None:
        """Add files to every backup: absolute paths below the data folder. A missing one is left out and counted."""
        self._files.append(files)

    def after_restore(self, step: SetRight) -> None:
        """Run this once in the restored database, before anything is started; it returns how many rows it changed."""
        self._set_right.append(step)

    def files(self, session: Session) -> list[Path]:
        """Return every file to be kept, each once."""
        return sorted({path for kept in self._files for path in kept(session)})

    def set_right(self, session: Session, moment: Moment) -> int:
        """Set everything right; return how many rows were changed."""
        return sum(step(session, moment) for step in self._set_right)
