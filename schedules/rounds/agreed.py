"""What is agreed to of a roster, and whether a reminder is still of that."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from broadcasts.approvals import reviewing, rounds
from broadcasts.approvals.rounds import Subject
from broadcasts.approvals.rules import Matter
from hub.regions.tree import codes_in
from schedules.rounds.models import Round, RoundCall


def subject_of(found: Round) -> Subject:
    """Return what a reviewer's verdict is about."""
    return Subject(
        found.id, Matter.ROSTER, found.title, found.home_path, frozenset({found.written_by}), found.content_hash
    )


def content_hash(found: Round) -> str:
    """Return the hash over what is said, where and when. Whose turn it is may be changed: who is on it is marked."""
    content = [
        found.title, found.kind.value, found.home_path, found.words, found.at, str(found.first_day),
        str(found.last_day), found.weekday, found.each,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def shown(found: Round) -> dict[str, Any]:
    """Return what stands on it, for people to compare; of its people only how many, and marks that name nobody."""
    return {
        "title": found.title,
        "regions": [codes_in(found.home_path)[-1]],
        "sms_text": found.words,
        "first_day": str(found.first_day),
        "last_day": str(found.last_day),
        "daily_at": found.at,
        "people": len({call.resident_id for call in found.calls}),
        "marks": sorted({_mark(call) for call in found.calls}),
    }


def holds(session: Session, found: Round, calls: Iterable[RoundCall]) -> bool:
    """Return whether everybody who had to look has passed exactly this, for exactly these people."""
    case = rounds.cases(session, [subject_of(found)]).get(found.id)
    if case is None or not reviewing.is_passed(case):
        return False
    if not case.content_hash == found.content_hash == content_hash(found):
        return False
    marks = rounds.handed_in(session, [case])[found.id].get("marks")  # missing on what was agreed to before
    return marks is None or all(_mark(call) in marks for call in calls)


def _mark(call: RoundCall) -> str:
    return hashlib.sha256(call.round_id.bytes + call.phone_index).hexdigest()[:16]
