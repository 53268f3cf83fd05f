"""Once a day one line outside of the database says how far the log had come and by which hash.

    # day  moment  entry  hash
    2026-11-23 2026-11-23T02:00:00+00:00 1204 6f0c…

Whoever keeps a copy of this file elsewhere can prove later that nothing before that line was changed or cut off.
"""

import errno
import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import log as audit_log
from hub.audit.chain import Anchor, Fault, Proof, prove
from hub.audit.guarding import is_kept
from hub.audit.models import AuditEntry
from hub.audit.settings import AuditSettings
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime

log = logging.getLogger(__name__)
HEAD = (
    "# How far the log of this hub had come: day, moment, number of the last entry, its hash. Keep a copy elsewhere.\n"
)
LATE = timedelta(days=2)
_LINE = re.compile(r"(\d{4}-\d\d-\d\d) (\S+) (\d{1,18}) ([0-9a-f]{64})")


class BadAnchorFile(Exception):
    """The file is none of ours, or was damaged; the message says where."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file."""

    day: date
    at: datetime
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Standing:
    """What the page of the log says about its proof."""

    last: Line | None
    late: bool
    fault: Fault | None
    unguarded: bool


def read_lines(path: Path) -> list[Line]:
    """Return what the file says; nothing when there is none. Raises BadAnchorFile."""
    if not path.exists():
        return []
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not text.strip() or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text.strip())
        if match is None:
            raise BadAnchorFile(f"{path}, line {number}: this is no anchor. Restore the file from your copy.")
        anchor = Anchor(int(match[3]), bytes.fromhex(match[4]))
        found.append(Line(date.fromisoformat(match[1]), datetime.fromisoformat(match[2]), anchor))
    return found


def write_line(path: Path, anchor: Anchor, *, day: date, at: datetime) -> Line:
    """Add one line, the whole of it or nothing. Raises OSError when the place cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        line = f"{day} {at.isoformat()} {anchor.entry_id} {anchor.hash.hex()}\n"
        words = ((HEAD if before == 0 else "") + line).encode()
        if file.write(words) < len(words):
            file.truncate(before)  # half a line would be no anchor, and no further one could be added
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return Line(day, at, anchor)


def verify(session: Session, lines: Iterable[Line]) -> Proof:
    """Read the whole log and hold it against every line."""
    return prove(session, [line.anchor for line in lines])


def anchor_now(session: Session, path: Path, *, day: date, at: datetime) -> Line | Fault | None:
    """Prove what came since the last line and add one; None when the log is empty. A log with a fault gets none."""
    lines = read_lines(path)
    after = lines[-1].anchor if lines else None
    proof = prove(session, [line.anchor for line in lines], after=after)
    if proof.fault is not None:
        return proof.fault
    return write_line(path, proof.last, day=day, at=at) if proof.last else None


def daily(runtime: Runtime) -> None:
    """Add the day's line if it is missing. What goes wrong is logged, shown on the page, and tried again."""
    path, now = file_of(runtime), runtime.now()
    today = now.astimezone(runtime.zone).date()
    try:
        lines = read_lines(path)
        if lines and lines[-1].day >= today:
            return
        with runtime.sessions.read() as session:
            found = anchor_now(session, path, day=today, at=now)
    except (OSError, BadAnchorFile) as error:
        log.warning("the log could not be anchored: %s", error)
        return
    if isinstance(found, Fault):
        log.error("the log was changed from outside: entry %d (%s)", found.entry_id, found.kind)
        _note_fault(runtime, found, today)


def standing(session: Session, runtime: Runtime) -> Standing:
    """Return when the log was last anchored, and whether what came since still fits together."""
    try:
        lines = read_lines(file_of(runtime))
    except (OSError, BadAnchorFile):
        lines = []
    last = lines[-1] if lines else None
    return Standing(
        last=last,
        late=last is None or runtime.now() - last.at > LATE,
        fault=_noted_fault(session, lines),
        unguarded=not is_kept(session, AuditEntry.__tablename__),
    )


def file_of(runtime: Runtime) -> Path:
    """Return where the lines are kept."""
    return runtime.config.section(AuditSettings).file_in(runtime.config.data_dir)


def _noted_fault(session: Session, lines: Sequence[Line]) -> Fault | None:
    """Look at the newest anchors only: the page must not read a million entries."""
    for line in lines[-3:]:
        kept = session.scalar(select(AuditEntry.hash).where(AuditEntry.id == line.anchor.entry_id))
        if kept != line.anchor.hash:
            return Fault(line.anchor.entry_id, "cut" if kept is None else "replaced")
    return None


def _note_fault(runtime: Runtime, fault: Fault, today: date) -> None:
    subject = f"audit:{today}"
    with runtime.sessions.begin() as session:
        noted = select(AuditEntry.id).where(AuditEntry.deed == "audit.fault", AuditEntry.subject == subject).limit(1)
        if session.scalar(noted) is None:
            audit_log.record(
                session, SYSTEM, "audit.fault", subject, "", runtime.now(), entry=fault.entry_id, kind=fault.kind
            )
