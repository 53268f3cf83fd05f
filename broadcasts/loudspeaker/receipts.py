"""What loudspeakers report, written down once and turned into states that only move forward.

A batch is two statements, however many rows it has. Row by row, Python would give up its lock at every step of the
database and stand in line behind the network thread each time.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.loudspeaker.states import FINAL, PRESUMED, RANK, PlayState, may_follow
from hub.speakers.protocol import PASSING, Beat, Reached, Receipt

NO_NUMBER: Final = -1
LONGEST_ID: Final = 32
ROWS_AT_ONCE: Final = 512
"""SQLite takes at least 32,766 parameters a statement. Only powers of two are used: each length is a statement that
every connection keeps prepared."""
LARGEST_INT: Final = 2**31 - 1
LAST_MS: Final = 253_370_764_800_000
"""The beginning of the year 9999, ms UTC: no clock is that wrong, but a hostile one may say so."""


class Report(NamedTuple):
    """One state of one command on one loudspeaker, from a receipt or repeated in a heartbeat (`number` -1).

    `state` is a PlayState, or what a device says besides: progress, a refusal that is not its last word, a duplicate
    of something it has forgotten. `order` is the device's newest number when it said so, as far as it is known.
    """

    speaker_id: str
    command_id: UUID
    state: PlayState | Reached
    at: datetime
    number: int = NO_NUMBER
    reason: str = ""
    played_ms: int | None = None
    volume: int | None = None
    used: str = ""
    offset_ms: int | None = None
    order: int = NO_NUMBER

    @property
    def newest(self) -> int:
        """The number up to which this is the device's latest word."""
        return max(self.number, self.order)


def from_receipt(receipt: Receipt) -> Report | None:
    """Return what a receipt says; None when it names no command. `duplicate` counts as the state once reached."""
    if receipt.id is None or len(receipt.dev) > LONGEST_ID:
        return None
    return Report(
        speaker_id=receipt.dev,
        command_id=UUID(receipt.id),
        state=_state_of(receipt),
        at=_moment(receipt.ts),
        number=receipt.n,
        reason=_plain(receipt.reason or ""),
        played_ms=None if receipt.played_ms is None else min(receipt.played_ms, LARGEST_INT),
        volume=receipt.volume,
        used=receipt.used.value if receipt.used else "",
        offset_ms=receipt.offset_ms,
    )


def _state_of(receipt: Receipt) -> PlayState | Reached:
    if receipt.st is Reached.REFUSED and receipt.reason in PASSING:
        return Reached.REFUSED  # it may still take the command when it is sent again: the delivery stays open
    return STATES[(receipt.reached or receipt.st) if receipt.st is Reached.DUPLICATE else receipt.st]


STATES: Final[dict[Reached, PlayState | Reached]] = {
    reached: reached if reached in (Reached.PROGRESS, Reached.DUPLICATE) else PlayState(reached.value)
    for reached in Reached
}


def from_beat(beat: Beat) -> list[Report]:
    """Return the newest states a heartbeat repeats: they heal receipts that were lost on the way."""
    if len(beat.dev) > LONGEST_ID:
        return []
    return [
        Report(beat.dev, UUID(command_id), STATES[state], _moment(beat.ts), order=beat.n)
        for command_id, state in beat.last
        if state not in (Reached.DUPLICATE, Reached.PROGRESS)
    ]


def record(session: Session, reports: Sequence[Report], *, now: datetime) -> None:
    """Store reports and move deliveries forward. Any order, any repetition, several hubs at once.

    Reports of loudspeakers that are not registered are left out. A delivery that is not written yet is brought up to
    date from what is stored here, when it is: `listing.write`.
    """
    said = _texts(reports)
    numbered = [_receipt_row(*each) for each in said if each[0].number != NO_NUMBER]
    if numbered:
        _run(session, _storing, RECEIPT_COLUMNS, numbered, now)
    _move(session, said, now)


def move(session: Session, reports: Sequence[Report], *, now: datetime) -> None:
    """Move deliveries forward by what is stored already."""
    _move(session, _texts(reports), now)


Said = list[tuple[Report, str, str]]
"""Reports, each with its command and its moment as they will be stored."""


def _texts(reports: Sequence[Report]) -> Said:
    return [(report, report.command_id.hex, _when(report.at)) for report in reports]


def _move(session: Session, said: Said, now: datetime) -> None:
    about: dict[tuple[str, str], list[tuple[Report, str]]] = {}
    for report, command, at in said:
        about.setdefault((report.speaker_id, command), []).append((report, at))
    rows = [row for key in sorted(about) if (row := _step_row(*key, _together(about[key]))) is not None]
    if rows:
        _run(session, _moving, STEP_COLUMNS, rows, now)


def _together(found: list[tuple[Report, str]]) -> "_Step":
    if len(found) > 1:
        found.sort(key=lambda each: each[0].newest)
    step = _Step()
    for report, at in found:
        step.take(report, at)
    return step


@dataclass(slots=True)
class _Step:
    """What all reports of a batch say together about one delivery; moments are as they will be stored."""

    state: PlayState | None = None
    at: str | None = None
    reason: str | None = None
    noted: bool = False
    order: int = NO_NUMBER
    played_ms: int | None = None
    volume: int | None = None
    used: str = ""
    received_at: str | None = None
    fetched_at: str | None = None
    started_at: str | None = None

    @property
    def has_details(self) -> bool:
        """Whether it says more than a state."""
        return bool(self.noted or self.used or self.volume is not None or self.played_ms is not None)

    def take(self, report: Report, at: str) -> None:
        """Add one report; the older ones come first."""
        if isinstance(report.state, PlayState):
            self._note_moment(report.state, at)
            if self.state is None or may_follow(self.state, report.state):
                self.state, self.at, self.reason = report.state, at, report.reason
            elif report.state is self.state and not self.reason:
                self.reason = report.reason
        elif report.state is not Reached.DUPLICATE and self.state not in FINAL:
            self.reason, self.noted = report.reason, True
        self.order = max(self.order, report.newest)
        self.volume = self.volume if report.volume is None else report.volume
        self.used = report.used or self.used
        self.played_ms = self.played_ms if report.played_ms is None else report.played_ms

    def _note_moment(self, state: PlayState, at: str) -> None:
        # The moments are kept even when a later state overtook the report on the way.
        if state is PlayState.RECEIVED:
            self.received_at = self.received_at or at
        elif state is PlayState.FETCHED:
            self.fetched_at = self.fetched_at or at
        elif state is PlayState.STARTED:
            self.started_at = self.started_at or at


MOMENT: Final = "timestamp"
LETTERS: Final = "abcdefghijklmn"
AS_STORED: Final = {MOMENT: "r.{0} AT TIME ZONE 'UTC'"}
ONE_AT_A_TIME: Final = 0x63_78_31
"""The lock by which PostgreSQL keeps the writing of a list apart from the taking in of receipts, which share it."""
BY_INDEX: Final = (
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
    f"set_config('enable_mergejoin', 'off', true), pg_advisory_xact_lock_shared({ONE_AT_A_TIME})"
)
"""For this transaction: a batch touches a thousand rows of tables with years in them, each found by its index."""
RECEIPT_COLUMNS: Final = {
    "speaker_id": "text",
    "number": "bigint",
    "command_id": "uuid",
    "state": "text",
    "device_at": MOMENT,
    "reason": "text",
    "played_ms": "integer",
    "volume": "integer",
    "used": "text",
    "offset_ms": "bigint",
}
STEP_COLUMNS: Final = {
    "speaker_id": "text",
    "command_id": "uuid",
    "state": "text",
    "rank": "integer",
    "at": MOMENT,
    "reason": "text",
    "newest": "bigint",
    "details": "integer",
    "played_ms": "integer",
    "volume": "integer",
    "used": "text",
    "received_at": MOMENT,
    "fetched_at": MOMENT,
    "started_at": MOMENT,
}
"""Column and PostgreSQL type of the rows as they travel; SQLite takes the values as they are."""

Value = str | int | None
Row = tuple[Value, ...]


def _receipt_row(report: Report, command: str, at: str) -> Row:
    return (
        report.speaker_id,
        report.number,
        command,
        report.state._value_,  # the public `value` is a descriptor that costs more than all the rest
        at,
        report.reason,
        report.played_ms,
        report.volume,
        report.used,
        report.offset_ms,
    )


def _step_row(speaker_id: str, command: str, step: _Step) -> Row | None:
    """None when no delivery could change by it."""
    details = step.has_details
    if step.state is None and not details:
        return None
    return (
        speaker_id,
        command,
        step.state._value_ if step.state else "",
        RANK[step.state] if step.state else -1,
        step.at,
        step.reason,
        step.order,
        int(details and step.order != NO_NUMBER),
        step.played_ms,
        step.volume,
        step.used or None,
        step.received_at,
        step.fetched_at,
        step.started_at,
    )


Statement = Callable[[str, str], str]
"""Makes the text from the mark of the parameter `now` and the source of the rows, a table called `r`."""


def _run(session: Session, statement: Statement, columns: dict[str, str], rows: list[Row], now: datetime) -> None:
    """Run a statement over all rows at once: one JSON text for PostgreSQL, a VALUES list for SQLite.

    Each is by far the quickest way into that database; what is not there is left out of the JSON.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        short = LETTERS[: len(columns)]  # the text is a third shorter, and so is the time to read it
        told = [{name: value for name, value in zip(short, row, strict=True) if value is not None} for row in rows]
        connection.exec_driver_sql(BY_INDEX)
        connection.exec_driver_sql(_on_postgres(statement, tuple(columns.items())), (now, json.dumps(told)))
        return
    start = 0
    while left := len(rows) - start:
        part = rows[start : start + (1 << min(left, ROWS_AT_ONCE).bit_length() - 1)]
        start += len(part)
        values = (_when(now), *(value for row in part for value in row))
        connection.exec_driver_sql(_on_sqlite(statement, tuple(columns), len(part)), values)


@lru_cache
def _on_postgres(statement: Statement, columns: tuple[tuple[str, str], ...]) -> str:
    short = list(zip(LETTERS, columns, strict=False))
    kinds = ", ".join(f"{letter} {kind}" for letter, (_, kind) in short)
    taken = ", ".join(AS_STORED.get(kind, "r.{0}").format(letter) + f" AS {name}" for letter, (name, kind) in short)
    source = f"(SELECT {taken} FROM json_to_recordset(%s::json) AS r({kinds})) AS r"  # noqa: S608 - names of ours alone
    return statement("%s::timestamptz", source)


@lru_cache
def _on_sqlite(statement: Statement, columns: tuple[str, ...], rows: int) -> str:
    marks = "(" + ", ".join("?" * len(columns)) + ")"
    names = ", ".join(f"column{number} AS {name}" for number, name in enumerate(columns, start=1))
    values = ", ".join([marks] * rows)
    return statement("?", f"(SELECT {names} FROM (VALUES {values})) AS r")  # noqa: S608 - names of ours alone


def _storing(now: str, source: str) -> str:
    names = ", ".join(RECEIPT_COLUMNS)
    return f"""
        INSERT INTO play_receipt ({names}, arrived_at)
        SELECT {names}, {now} FROM {source}
        WHERE EXISTS (SELECT 1 FROM speaker AS s WHERE s.id = r.speaker_id)
        ON CONFLICT DO NOTHING
    """  # noqa: S608 - as above


def _moving(now: str, source: str) -> str:
    """Moves are guarded by the rank of the state the row has at that moment, so hubs may race.

    Between started and interrupted, which may take turns, and for details, the device's newest number decides. An end
    that the hub had presumed gives way to what the device itself says about it.
    """
    ranks = " ".join(f"WHEN '{state.value}' THEN {rank}" for state, rank in RANK.items())
    rank = f"CASE d.state {ranks} END"
    turns, end = RANK[PlayState.STARTED], min(RANK[state] for state in FINAL)
    latest = """NOT EXISTS (
        SELECT 1 FROM play_receipt AS p
        WHERE p.speaker_id = r.speaker_id AND p.command_id = r.command_id AND p.number > r.newest)"""
    guesses = ", ".join(f"'{reason}'" for reason in PRESUMED)
    corrects = f"""(r.rank >= {end} AND {rank} >= {end} AND d.reason IN ({guesses})
        AND (d.state <> r.state OR (r.reason <> '' AND r.reason <> d.reason)))"""
    takes_turn = f"({rank} = {turns} AND r.rank = {turns} AND d.state <> r.state AND {latest})"
    up = f"({rank} < r.rank OR {takes_turn} OR {corrects})"
    details = f"(r.details = 1 AND {latest})"
    still_open = f"{rank} < {end}"
    # a heartbeat names a state alone: the receipt that follows says why
    explains = "(d.state = r.state AND d.reason = '' AND r.reason IS NOT NULL AND r.reason <> '')"
    moments = " OR ".join(
        f"(d.{name} IS NULL AND r.{name} IS NOT NULL)" for name in ("received_at", "fetched_at", "started_at")
    )
    return f"""
        UPDATE speaker_delivery AS d SET
          changed_at = CASE WHEN {up} OR {details} THEN {now} ELSE d.changed_at END,
          state = CASE WHEN {up} THEN r.state ELSE d.state END,
          reason = CASE WHEN {up} OR {explains} OR ({still_open} AND {details})
            THEN COALESCE(r.reason, d.reason) ELSE d.reason END,
          received_at = COALESCE(d.received_at, r.received_at),
          fetched_at = COALESCE(d.fetched_at, r.fetched_at),
          started_at = COALESCE(d.started_at, r.started_at),
          ended_at = CASE WHEN {up} AND r.rank >= {end} THEN r.at ELSE d.ended_at END,
          played_ms = CASE WHEN {up} OR {details} THEN COALESCE(r.played_ms, d.played_ms) ELSE d.played_ms END,
          volume = CASE WHEN {details} THEN COALESCE(r.volume, d.volume) ELSE d.volume END,
          used = CASE WHEN {details} THEN COALESCE(r.used, d.used) ELSE d.used END
        FROM {source}
        WHERE d.command_id = r.command_id AND d.speaker_id = r.speaker_id
          AND ({up} OR {details} OR {explains} OR {moments})
    """  # noqa: S608 - as above


def _when(moment: datetime) -> str:
    """UTC as SQLAlchemy stores it in SQLite, which keeps no zone; for PostgreSQL `AS_STORED` adds it."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:26]


def _plain(reason: str) -> str:
    return reason.replace("\x00", "")[:60]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(min(ms, LAST_MS) / 1000, tz=UTC)
