"""What was handed in each time, and how one version differs from the one before."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.approvals.models import Version

TEXTS = ("title", "text", "sms_text")
_PIECES = re.compile(r"[A-Za-z0-9]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: the same as before, taken out, or put in."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. Texts come in pieces; of anything else there is before and after."""

    name: str
    pieces: tuple[Piece, ...] = ()
    before: str = ""
    after: str = ""


def of(session: Session, subject_ids: Collection[UUID]) -> Sequence[Version]:
    """Return everything that was handed in of a subject, or of several that follow each other, the first one first."""
    query = select(Version).where(Version.subject_id.in_(subject_ids))
    return session.scalars(query.order_by(Version.at, Version.round)).all()


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return what differs between two contents; of lists only what was taken out and put in."""
    found = []
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if name in TEXTS:
            found.append(Change(name, pieces=tuple(pieces(str(before or ""), str(after or "")))))
        elif isinstance(before, list) and isinstance(after, list):
            gone, come = [x for x in before if x not in after], [x for x in after if x not in before]
            found.append(Change(name, before=_shown(gone or before), after=_shown(come or after)))
        else:
            found.append(Change(name, before=_shown(before), after=_shown(after)))
    return tuple(found)


def pieces(old: str, new: str) -> list[Piece]:
    """Return the way from one text to another, sign by sign; numbers and Latin words stay whole."""
    a, b = _PIECES.findall(old), _PIECES.findall(new)
    found = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Piece("same", "".join(a[i:j])))
            continue
        if j > i:
            found.append(Piece("out", "".join(a[i:j])))
        if m > k:
            found.append(Piece("in", "".join(b[k:m])))
    return found


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "、".join(_shown(one) for one in value)
    if isinstance(value, dict):
        return "；".join(f"{key} {_shown(one)}" for key, one in value.items() if one not in ([], "", None, False))
    return "" if value is None or value == "None" else str(value)
