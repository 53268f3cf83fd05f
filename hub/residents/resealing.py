"""Every telephone number of the hub sealed anew with the newest key, in small portions beside a running hub."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Row, Table, bindparam, select, tuple_, update

from hub.core.db import Base, Sessions
from hub.core.errors import Unavailable
from hub.residents.phones import PhoneSafe

PORTION: Final = 1_000
HOLDS: Final = frozenset({"sealed", "masked"})


@dataclass(slots=True)
class Resealed:
    """What was found, and done."""

    looked_at: int = 0
    changed: int = 0
    unreadable: int = 0
    """Sealed with a key that is no longer there, or damaged."""


def sealed_tables() -> list[Table]:
    """Return every table that keeps numbers: sealed, with a masked form beside."""
    return [table for table in Base.metadata.sorted_tables if HOLDS.issubset(table.columns.keys())]


def anything_old(sessions: Sessions, safe: PhoneSafe) -> bool:
    """Whether a number is left that only an older key opens."""
    return any(
        _is_old(safe, row.sealed) for table in sealed_tables() for rows in _portions(sessions, table) for row in rows
    )


def _is_old(safe: PhoneSafe, sealed: bytes) -> bool:
    if not sealed or safe.is_newest(sealed):
        return False
    try:
        safe.open(sealed)
    except Unavailable:
        return False
    return True


def reseal(sessions: Sessions, safe: PhoneSafe) -> Resealed:
    """Go through all of them once. What somebody else changes meanwhile is left to them."""
    done = Resealed()
    for table in sealed_tables():
        for rows in _portions(sessions, table):
            done.looked_at += len(rows)
            _renew(sessions, safe, table, rows, done)
    return done


def _renew(sessions: Sessions, safe: PhoneSafe, table: Table, rows: Sequence[Row[Any]], done: Resealed) -> None:
    keys = list(table.primary_key.columns)
    changes = []
    for row in rows:
        if not row.sealed or safe.is_newest(row.sealed):
            continue
        try:
            fresh = safe.seal(safe.open(row.sealed))
        except Unavailable:
            done.unreadable += 1
            continue
        found = row._mapping
        changes.append({"_new": fresh, "_old": row.sealed, **{f"_{key.name}": found[key.name] for key in keys}})
    if changes:
        same = [key == bindparam(f"_{key.name}", type_=key.type) for key in keys]
        statement = update(table).where(table.c.sealed == bindparam("_old"), *same).values(sealed=bindparam("_new"))
        with sessions.begin() as session:
            session.connection().execute(statement, changes)
        done.changed += len(changes)


def _portions(sessions: Sessions, table: Table) -> Iterator[Sequence[Row[Any]]]:
    keys: list[Column[Any]] = list(table.primary_key.columns)
    question = select(*keys, table.c.sealed).order_by(*keys).limit(PORTION)
    after: tuple[Any, ...] = ()
    while True:
        here = question.where(tuple_(*keys) > tuple_(*_bound(keys, after))) if after else question
        with sessions.read() as session:
            rows: Sequence[Any] = session.execute(here).all()
        if not rows:
            return
        yield rows
        after = tuple(rows[-1][: len(keys)])


def _bound(keys: Sequence[Column[Any]], values: Sequence[Any]) -> list[Any]:
    return [bindparam(None, value, type_=key.type) for key, value in zip(keys, values, strict=True)]
