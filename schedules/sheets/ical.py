"""A sheet as an iCalendar file (RFC 5545): one event for every time something sounds in three months.

Every time is written out instead of a rule: workdays, worked weekends and days kept quiet fit no RRULE, and what a
calendar shows must be what the hub plays.
"""

from datetime import UTC, datetime, timedelta
from zlib import crc32

from sqlalchemy.orm import Session

from schedules import booking
from schedules.models import Sheet, Slot, SlotKind
from schedules.sheets import service

AHEAD = timedelta(days=92)
LINE = 75
UNTITLED_MINUTES = 5


def export(session: Session, sheet: Sheet, *, now: datetime, ahead: timedelta = AHEAD) -> str:
    """Return the next three months of a sheet."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Cunxiang//Programme sheet//ZH",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{_escaped(sheet.title)}",
    ]
    for slot in service.slots_of(session, sheet):
        if slot.kind is not SlotKind.SILENCE:
            for due in booking.upcoming(session, slot, now, ahead):
                lines += _event(sheet, slot, due, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(sheet: Sheet, slot: Slot, due: datetime, now: datetime) -> list[str]:
    end = due + timedelta(minutes=slot.minutes or UNTITLED_MINUTES)
    # The same occasion keeps its name over versions, so that a calendar replaces it instead of showing it twice.
    return [
        "BEGIN:VEVENT",
        f"UID:{sheet.line_id}-{crc32(slot.title.encode()):08x}-{due.astimezone(UTC):%Y%m%dT%H%M}@cunxiang",
        f"DTSTAMP:{_stamp(now)}",
        f"SEQUENCE:{sheet.version}",
        f"DTSTART:{_stamp(due)}",
        f"DTEND:{_stamp(end)}",
        f"SUMMARY:{_escaped(slot.title)}",
        "END:VEVENT",
    ]


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return plain.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _folded(line: str) -> list[str]:
    """Cut a line into pieces of 75 bytes, never inside a character; a piece that goes on begins with a blank."""
    found, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > LINE:
            found.append(piece)
            piece = " "
        piece += character
    return [*found, piece]
