"""Whose turn it is: pure arithmetic on days and people. And which replies mean what."""

import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

T = TypeVar("T")
THERE = frozenset(["到岗", "到了", "已到", "已到岗", "到岗了", "我到了", "我到岗了", "已经到岗", "在岗"])
DONE = frozenset(["已办", "办了", "办完了", "已办完", "已完成", "完成", "完成了", "做完了", "已办好", "办好了"])


def days_between(first: date, last: date, weekday: int = 0) -> list[date]:
    """Return the days, both included; only one weekday (1 to 7) where that is given."""
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in every if not weekday or day.isoweekday() == weekday]


def in_turn(people: Sequence[T], days: Sequence[date], each: int) -> list[tuple[date, T]]:
    """Return who is due on which day, going round; nobody twice on one day."""
    count = min(each, len(people))
    return [(day, people[(n * count + k) % len(people)]) for n, day in enumerate(days) for k in range(count)]


def together(people: Sequence[T], days: Sequence[date]) -> list[tuple[date, T]]:
    """Return everybody on every day."""
    return [(day, one) for day in days for one in people]


def is_there(text: str) -> bool:
    """Return whether a reply says that somebody has come to their post."""
    return _bare(text) in THERE


def is_done(text: str) -> bool:
    """Return whether a reply says that something is done."""
    return _bare(text) in DONE


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
