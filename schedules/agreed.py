"""Ask once more, when a sheet's slot comes round, whether it is what everybody who had to look has passed."""

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy.orm import Session

from broadcasts.announcements import review
from broadcasts.announcements.models import Announcement
from broadcasts.approvals import reviewing, rounds
from broadcasts.approvals.rounds import Subject
from broadcasts.approvals.rules import Matter
from hub.core.errors import WrongState
from schedules.models import Sheet, Slot
from schedules.sources import Piece


def subject_of(sheet: Sheet) -> Subject:
    """Return what a reviewer's verdict is about; what stands on the sheet is added where it is handed in."""
    authors = frozenset(one for one in (sheet.written_by, sheet.submitted_by) if one is not None)
    return Subject(sheet.id, Matter.SHEET, sheet.title, sheet.region_path, authors, sheet.content_hash)


def content_of(slot: Slot) -> list[object]:
    """Return everything that decides when something sounds and what it is; equal for a slot that was not changed."""
    return [
        slot.daily_at,
        slot.kind.value,
        slot.title,
        str(slot.subject_id or ""),
        slot.subject_hash,
        slot.minutes,
        slot.volume,
        slot.relay_url,
        slot.rhythm.value,
        slot.days,
        str(slot.first_day or ""),
        str(slot.last_day or ""),
        slot.late_tolerance_s,
    ]


def mark_of(slot: Slot) -> str:
    """Return by what a slot is known in the version that was handed in."""
    content = [slot.home_path, *content_of(slot)]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:32]


class Agreements:
    """What was passed of some sheets, looked up for all of them at once."""

    def __init__(self, session: Session, sheets: Iterable[Sheet]) -> None:
        self._session = session
        subjects = [subject_of(sheet) for sheet in sheets]
        self._cases = rounds.cases(session, subjects) if subjects else {}
        self._handed_in = rounds.handed_in(session, list(self._cases.values())) if self._cases else {}

    def why_not(self, sheet: Sheet, slot: Slot, piece: Piece) -> str:
        """Return the code of what keeps a slot from sounding: it, its sheet or what it plays was changed unseen."""
        case = self._cases.get(sheet.id)
        if case is None or not reviewing.is_passed(case) or case.content_hash != sheet.content_hash:
            return "sheet_changed_meanwhile"
        marks = self._handed_in[sheet.id].get("marks")  # missing on what was handed in before slots were noted
        if marks is not None and mark_of(slot) not in marks:
            return "sheet_changed_meanwhile"
        return _changed(self._session, piece)


def _changed(session: Session, piece: Piece) -> str:
    found = session.get(Announcement, piece.announcement_id) if piece.announcement_id else None
    if found is None:
        return ""
    if piece.sound is not None and piece.sound.sha256 != found.audio_sha256:
        return "announcement_changed_meanwhile"
    try:
        review.require_untouched(session, found)
    except WrongState as changed:
        return changed.code
    return ""
