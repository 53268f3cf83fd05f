"""The evidence of an incident in one file: what happened, every receipt, the log, the sounds, each with its hash."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert
from broadcasts.alerts.record.timeline import Record
from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.sms.models import SmsMessage
from hub.audit.models import AuditEntry

Files = dict[str, bytes]
HASHES = "SHA256SUMS"


def gather(session: Session, record: Record, sound_of: Callable[[str], Path | None]) -> Files:
    """Return every file of the evidence by name. Telephone numbers are masked, as everywhere."""
    broadcasts = [alert.broadcast_id for alert in record.alerts if alert.broadcast_id is not None]
    files: Files = {
        "incident.json": _json(_incident(record)),
        "timeline.csv": _csv(("at", "step", "who", "what", "number", "of", "seconds"), _timeline(record)),
        "loudspeakers.csv": _csv(_DELIVERY, _deliveries(session, broadcasts)),
        "receipts.csv": _csv(_RECEIPT, _receipts(session, broadcasts)),
        "messages.csv": _csv(_MESSAGE, _messages(session, broadcasts)),
        "log.json": _json(_log(session, record, broadcasts)),
    }
    for alert in record.alerts:
        found = sound_of(alert.audio_sha256) if alert.audio_sha256 else None
        if found is not None:
            files[f"sounds/{alert.audio_sha256}.mp3"] = found.read_bytes()
    return files


def packed(files: Files) -> tuple[bytes, str]:
    """Return them as one zip, and the hash of its list of hashes: the same evidence has the same hash."""
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*sorted(files.items()), (HASHES, sums)]:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue(), hashlib.sha256(sums).hexdigest()


def _incident(record: Record) -> dict[str, Any]:
    incident = record.incident
    return {
        "id": str(incident.id),
        "mode": incident.mode.value,
        "state": incident.state.value,
        "hazard": incident.hazard,
        "colour": incident.colour.value,
        "title": incident.title,
        "regions": list(incident.regions),
        "places": list(record.places),
        "opened_at": _at(incident.opened_at),
        "closed_at": _at(incident.closed_at),
        "closed_by": incident.closed_by_name,
        "sources": [
            {
                "kind": s.kind.value,
                "issuer": s.issuer,
                "reference": s.reference,
                "title": s.title,
                "received_at": _at(s.received_at),
                "document": str(s.document_id) if s.document_id else None,
                "details": s.details,
            }
            for s in record.sources
        ],
        "alerts": [_alert(alert) for alert in record.alerts],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": str(alert.id),
        "act": alert.act.value,
        "follows": str(alert.follows_id) if alert.follows_id else None,
        "state": alert.state.value,
        "authority": alert.authority.value,
        "plan": str(alert.plan_id) if alert.plan_id else None,
        "plan_version": alert.plan_version,
        "colour": alert.colour.value,
        "title": alert.title,
        "speech": alert.text,
        "sms": alert.sms_text,
        "issuer": alert.issuer,
        "issuer_ref": alert.issuer_ref,
        "audience": alert.audience,
        "loudspeakers_confirmed": alert.speakers_confirmed,
        "armed_by": alert.armed_by_name,
        "armed_at": _at(alert.armed_at),
        "confirmed_by": alert.confirmed_by_name,
        "confirmed_at": _at(alert.confirmed_at),
        "reason": alert.reason,
        "fired_at": _at(alert.fired_at),
        "ended_at": _at(alert.ended_at),
        "ended_by": alert.ended_by_name,
        "sound_sha256": alert.audio_sha256,
        "broadcast": str(alert.broadcast_id) if alert.broadcast_id else None,
    }


def _timeline(record: Record) -> Iterator[Sequence[Any]]:
    for line in record.lines:
        took = round(line.took.total_seconds(), 3) if line.took is not None else ""
        yield (_at(line.at), line.key, line.who, line.what, line.number or "", line.of or "", took)


_DELIVERY = (
    "broadcast",
    "loudspeaker",
    "region",
    "state",
    "reason",
    "received",
    "started",
    "ended",
    "played_ms",
    "used",
)
_RECEIPT = ("loudspeaker", "number", "command", "state", "device_at", "arrived_at", "reason", "played_ms", "used")
_MESSAGE = ("broadcast", "number", "region", "state", "reason", "sent_at", "reported_at")


def _deliveries(session: Session, broadcasts: Sequence[UUID]) -> Iterator[Sequence[Any]]:
    query = select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id.in_(broadcasts))
    order = (SpeakerDelivery.broadcast_id, SpeakerDelivery.region_path, SpeakerDelivery.speaker_id)
    for d in session.scalars(query.order_by(*order)):
        moments = (_at(d.received_at), _at(d.started_at), _at(d.ended_at))
        yield (d.broadcast_id, d.speaker_id, d.region_path, d.state.value, d.reason, *moments, d.played_ms, d.used)


def _receipts(session: Session, broadcasts: Sequence[UUID]) -> Iterator[Sequence[Any]]:
    commands = select(SpeakerDelivery.command_id).where(SpeakerDelivery.broadcast_id.in_(broadcasts))
    query = select(PlayReceipt).where(PlayReceipt.command_id.in_(commands))
    for r in session.scalars(query.order_by(PlayReceipt.arrived_at, PlayReceipt.speaker_id, PlayReceipt.number)):
        moments = (_at(r.device_at), _at(r.arrived_at))
        yield (r.speaker_id, r.number, r.command_id, r.state, *moments, r.reason, r.played_ms, r.used)


def _messages(session: Session, broadcasts: Sequence[UUID]) -> Iterator[Sequence[Any]]:
    query = select(SmsMessage).where(SmsMessage.broadcast_id.in_(broadcasts)).order_by(SmsMessage.id)
    for m in session.scalars(query):
        yield (m.broadcast_id, m.masked, m.region_path, m.state.value, m.reason, _at(m.sent_at), _at(m.reported_at))


def _log(session: Session, record: Record, broadcasts: Sequence[UUID]) -> list[dict[str, Any]]:
    subjects = [f"incident:{record.incident.id}", *(f"alert:{alert.id}" for alert in record.alerts)]
    subjects += [f"broadcast:{each}" for each in broadcasts] + [f"call:{call.id}" for call in record.calls]
    subjects += [f"errand:{errand.id}" for errand in record.errands]
    chosen = [AuditEntry.subject.in_(subjects[start : start + 500]) for start in range(0, len(subjects), 500)]
    entries = session.scalars(select(AuditEntry).where(or_(*chosen)).order_by(AuditEntry.id))
    return [
        {
            "id": entry.id,
            "at": _at(entry.at),
            "who": entry.actor_name,
            "from": entry.origin,
            "via": entry.via,
            "deed": entry.deed,
            "subject": entry.subject,
            "details": entry.details,
            "previous_hash": entry.previous_hash.hex(),
            "hash": entry.hash.hex(),
        }
        for entry in entries
    ]


def _at(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment is not None else ""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str).encode()


def _csv(head: Sequence[str], rows: Iterator[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _harmless(cell: Any) -> Any:
    """A spreadsheet must not take what somebody typed for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t" and cell[1:] else cell
