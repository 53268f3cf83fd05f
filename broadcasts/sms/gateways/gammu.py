"""A GSM modem: gammu-smsd with its SQL service. The hub writes into smsd's outbox and reads what smsd notes.

    INSERT INTO outbox (DestinationNumber, TextDecoded, Coding, Class, CreatorID, DeliveryReport, Priority, …)
    smsd moves it to sentitems: Status SendingOK, then DeliveryOK or DeliveryFailed when the report comes
    what residents write stands in inbox, Processed = 'false'

smsd must have a database of its own (SQLite locks the whole file). A text of several parts is one row of outbox and
further rows of outbox_multipart, joined by a header of their own (UDH).
"""

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, bindparam, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from broadcasts.sms.gateway import (
    Accepted,
    Addressee,
    Caps,
    Found,
    GatewayContext,
    Objection,
    Polled,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
    WebhookRequest,
)
from broadcasts.sms.gateways import content
from broadcasts.sms.gateways.sections import GammuSettings
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.segments import split
from broadcasts.sms.states import MessageState

NAME = "gammu"
_OURS = "cunxiang "
_GIVEN_UP = frozenset({"SendingError", "Error", "DeliveryFailed"})
_ON_ITS_WAY = frozenset({"SendingOK", "SendingOKNoReport", "DeliveryPending", "DeliveryUnknown"})
_JOINT_PATIENCE = timedelta(minutes=10)
_MOST = 500
_INSERT = text(
    'INSERT INTO outbox ("DestinationNumber", "TextDecoded", "Coding", "Class", "CreatorID", "SenderID", '
    '"DeliveryReport", "Priority", "MultiPart", "UDH", "RelativeValidity", "Text", '
    '"SendingDateTime", "SendingTimeOut") VALUES '
    "(:number, :text, 'Unicode_No_Compression', -1, :creator, :sender, 'yes', :priority, :multi, :udh, :validity, '', "
    # Not the defaults: those are in UTC, and smsd compares with local time.
    "'2000-01-01 00:00:00', '2000-01-01 00:00:00') "
    'RETURNING "ID"'
)
_MORE = text(
    'INSERT INTO outbox_multipart ("ID", "SequencePosition", "TextDecoded", "Coding", "Class", "UDH", "Text") '
    "VALUES (:id, :position, :text, 'Unicode_No_Compression', -1, :udh, '')"
)
_WAITING = text('SELECT "CreatorID" FROM outbox WHERE "CreatorID" IN :creators').bindparams(
    bindparam("creators", expanding=True)
)
_SENT = text(
    'SELECT "ID", "CreatorID", "Status", "SequencePosition" FROM sentitems WHERE "CreatorID" LIKE :ours '
    'AND "UpdatedInDB" >= :since ORDER BY "UpdatedInDB", "ID" LIMIT :most'
)
_SENT_OF = text('SELECT "CreatorID" FROM sentitems WHERE "CreatorID" IN :creators').bindparams(
    bindparam("creators", expanding=True)
)
_INBOX = text(
    'SELECT "ID", "SenderNumber", "TextDecoded", "UDH", "ReceivingDateTime" FROM inbox WHERE "Processed" = :no '
    'ORDER BY "ID" LIMIT :most'
)
_READ = text('UPDATE inbox SET "Processed" = :yes WHERE "ID" IN :ids').bindparams(bindparam("ids", expanding=True))


def open_gateway(context: GatewayContext) -> "GammuGateway":
    """Open the gateway on smsd's database."""
    return GammuGateway(context)


class GammuGateway:
    """Everything it is given stands in smsd's outbox until the modem has sent it, some seconds for every part."""

    name = NAME
    caps = Caps(max_per_call=10, receipts=True, inbound=True, query=True)

    def __init__(self, context: GatewayContext) -> None:
        self._own = context.need(GammuSettings, "database")
        wait = {"timeout": context.settings.connect_timeout_s} if self._own.database.startswith("sqlite") else {}
        self._engine: Engine = create_engine(self._own.database, connect_args=wait, pool_pre_ping=True)
        self._done: set[tuple[Any, ...]] = set()

    def check(self, text: str) -> Sequence[Objection]:
        """Only what no carrier takes."""
        return content.objections(text, topics=(), strict=False)

    def submit(self, submission: Submission) -> SubmitResult:
        """Put one call into the outbox, all of it or nothing."""
        parts = split(submission.text)
        about_to_commit = False
        try:
            with self._engine.connect() as connection:
                refs = {p.ref: str(self._put(connection, submission, p, parts)) for p in submission.people}
                about_to_commit = True
                connection.commit()
        except OperationalError:
            return Unknown("commit_lost") if about_to_commit else Refused(Refusal.THROTTLED, "smsd_database")
        except DBAPIError:
            return Unknown("commit_lost") if about_to_commit else Refused(Refusal.CONFIGURATION, "smsd_tables")
        return Accepted(refs)

    def query(self, submission: Submission) -> Found | None:
        """Look where the messages stand: what is neither waiting nor sent was never put in."""
        refs = {_OURS + person.ref: person.ref for person in submission.people}
        try:
            with self._engine.connect() as connection:
                there = {*connection.scalars(_WAITING, {"creators": list(refs)})}
                there |= {*connection.scalars(_SENT_OF, {"creators": list(refs)})}
        except DBAPIError:
            return None
        return Found({refs[creator]: "" for creator in there if creator in refs})

    def verify(self, request: WebhookRequest) -> bool:
        """Nobody reports over the web."""
        return False

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Return nothing, for the same reason."""
        return ()

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Return nothing, for the same reason."""
        return ()

    def poll(self, now: datetime) -> Polled:
        """Read what smsd noted lately and what residents wrote."""
        since = (now - timedelta(days=3)).astimezone().replace(tzinfo=None)
        with self._engine.connect() as connection:
            sent = connection.execute(
                _SENT, {"ours": f"{_OURS}%", "since": since.isoformat(" ", "seconds"), "most": 20_000}
            ).all()
            letters = connection.execute(_INBOX, {"no": self._flag(False), "most": _MOST}).all()
        # smsd's table is read whole; what has not changed since the last look is passed over.
        news = [tuple(row) for row in sent if tuple(row) not in self._done]
        receipts = _receipts([tuple(row) for row in sent], {row[1] for row in news})
        inbound, read = _joined([tuple(row) for row in letters], now)

        def done() -> None:
            self._done = {tuple(row) for row in sent}
            if read:
                with self._engine.begin() as connection:
                    connection.execute(_READ, {"yes": self._flag(True), "ids": read})

        return Polled(receipts, inbound, done)

    def _flag(self, value: bool) -> Any:
        return value if self._engine.dialect.name == "postgresql" else ("true" if value else "false")

    def _put(self, connection: Any, submission: Submission, person: Addressee, parts: Sequence[str]) -> int:
        mark = zlib.crc32(person.ref.encode()) & 0xFF
        headers = [f"050003{mark:02X}{len(parts):02X}{i:02X}" for i in range(1, len(parts) + 1)]
        left = (submission.expires_at - submission.submitted_at).total_seconds()
        row = {
            "number": person.number,
            "text": parts[0],
            "creator": _OURS + person.ref,
            "sender": self._own.sender_id or None,
            "priority": 10 if submission.urgent else 0,
            "multi": self._flag(len(parts) > 1),
            "udh": headers[0] if len(parts) > 1 else "",
            "validity": _validity(left),
        }
        made = int(connection.execute(_INSERT, row).scalar_one())
        for position, (part, header) in enumerate(zip(parts[1:], headers[1:], strict=True), start=2):
            connection.execute(_MORE, {"id": made, "position": position, "text": part, "udh": header})
        return made


def _validity(seconds: float) -> int:
    """Return a lifetime as GSM writes it: steps of 5 minutes up to 12 hours, then of half an hour."""
    minutes = max(seconds, 0) / 60
    return int(max(minutes / 5 - 1, 0)) if minutes <= 720 else int(min(143 + (minutes - 720) / 30, 167))


def _receipts(rows: Sequence[tuple[Any, ...]], changed: set[str]) -> list[Receipt]:
    """Return a report for every message that has news: it arrived when all its parts did, else not when one did not."""
    states: dict[str, list[str]] = {}
    for _, creator, status, _ in rows:
        if creator in changed:
            states.setdefault(creator, []).append(str(status))
    receipts = []
    for creator, seen in states.items():
        lost = next((status for status in seen if status in _GIVEN_UP), "")
        if lost:
            state = MessageState.UNDELIVERED
        elif all(status == "DeliveryOK" for status in seen):
            state = MessageState.DELIVERED
        elif all(status in _ON_ITS_WAY | {"DeliveryOK"} for status in seen):
            state = MessageState.SENT
        else:
            continue
        receipts.append(Receipt(provider_ref="", state=state, message_ref=creator.removeprefix(_OURS), code=lost))
    return receipts


def _joined(rows: Sequence[tuple[Any, ...]], now: datetime) -> tuple[list[Inbound], list[int]]:
    """Put the parts of long letters together; one whose parts do not all come is handed over as it is after a while."""
    groups: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        udh = str(row[3] or "")
        key = (
            (str(row[1]), udh[:10]) if udh.startswith("050003") and len(udh) == 12 else (str(row[1]), f"alone {row[0]}")
        )
        groups.setdefault(key, []).append(row)
    letters, read = [], []
    for (number, joint), parts in groups.items():
        wanted = int(joint[8:10], 16) if not joint.startswith("alone") else 1
        came = _moment(parts[0][4]) or now
        if len({part[3] for part in parts}) < wanted and now - came < _JOINT_PATIENCE:
            continue
        whole = "".join(str(part[2]) for part in sorted(parts, key=lambda part: str(part[3] or "")))
        letters.append(Inbound(number, whole, f"inbox.{parts[0][0]}.{came.isoformat()}", came))
        read += [int(part[0]) for part in parts]
    return letters, read


def _moment(value: Any) -> datetime | None:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.astimezone()
