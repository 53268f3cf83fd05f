"""Single numbers that somebody typed for an announcement: kept like residents' numbers, named by their keyed hash."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.core.errors import BadInput, HubError, Problems
from hub.residents.models import ExtraNumber, NumberKind
from hub.residents.phones import PhoneSafe, normalise

_BETWEEN = re.compile(r"[,，、;；\n]+")


def note_typed(session: Session, text: str, *, safe: PhoneSafe, now: datetime) -> tuple[str, ...]:
    """Keep the numbers in a text and return their hashes. Problems or BadInput (field `numbers`) name the wrong ones.

    Numbers stand on lines of their own or between commas. A number that is wrong is named by its place, never repeated.
    """
    found: dict[str, None] = {}
    problems: list[BadInput] = []
    for at, part in enumerate((part for part in _BETWEEN.split(text) if part.strip()), start=1):
        try:
            number = normalise(part)
        except HubError as error:
            problems.append(BadInput("extra_number_wrong", field="numbers", at=at, end=part.strip()[-2:]))
            del error
            continue
        index = safe.index(number.e164)
        remember(session, index, safe.seal(number.e164), number.masked, number.kind, now=now)
        found[index.hex()] = None
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    return tuple(found)


def remember(session: Session, index: bytes, sealed: bytes, masked: str, kind: NumberKind, *, now: datetime) -> None:
    """Keep one number, or note that it was given again."""
    known = session.get(ExtraNumber, index)
    if known is None:
        session.add(ExtraNumber(index=index, sealed=sealed, masked=masked, kind=kind, used_at=now))
        session.flush()
    else:
        known.used_at = now


def shown(session: Session, numbers: Iterable[str]) -> Sequence[tuple[str, str]]:
    """Return (hash, masked number) of those that are still kept, in order of the numbers as shown."""
    indexes = [bytes.fromhex(number) for number in numbers]
    rows = session.execute(select(ExtraNumber.index, ExtraNumber.masked).where(ExtraNumber.index.in_(indexes)))
    return sorted(((index.hex(), masked) for index, masked in rows), key=lambda pair: pair[1])


def forget(session: Session, *, unused_since: datetime) -> int:
    """Erase numbers nobody has given since that moment; return how many."""
    gone = delete(ExtraNumber).where(ExtraNumber.used_at < unused_since).returning(ExtraNumber.index)
    return len(session.scalars(gone).all())
