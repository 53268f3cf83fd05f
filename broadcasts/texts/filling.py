"""Fill the blanks of a text: each value checked for what it is, so that nobody hears a date that is over."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from broadcasts.texts.shelf import BLANK, Blank, BlankKind, Text
from hub.core.errors import BadInput, Problems

LONGEST = 20
FURTHEST = timedelta(days=366)
_MARKS = re.compile(r"[【】〔〕{}｛｝<>\n\r]")
_AMOUNT = re.compile(r"\d{1,6}(?:\.\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Filled:
    """A text without blanks."""

    title: str
    text: str
    sms: str


def field_of(blank: Blank) -> str:
    """Return what the input of a blank is called in forms and requests."""
    return f"fill:{blank.name}"


def fill(text: Text, values: Mapping[str, str], *, today: date) -> Filled:
    """Return it with every blank filled in. Problems name each that is missing or cannot be."""
    known: dict[str, date | time] = {}
    said: dict[str, str] = {}
    wrong: list[BadInput] = []
    for blank in text.blanks:
        try:
            said[blank.name] = _said(blank, values.get(blank.name, "").strip(), known, today)
        except BadInput as error:
            wrong.append(error)
    if wrong:
        raise Problems(wrong)
    return in_words(text, said)


def sampled(text: Text) -> Filled:
    """Return it filled with its examples, as the page shows it."""
    return in_words(text, {blank.name: blank.sample for blank in text.blanks})


def in_words(text: Text, said: Mapping[str, str]) -> Filled:
    """Put words into blanks; a blank nobody knows is a mistake in the text's file."""

    def put(match: re.Match[str]) -> str:
        return said[match[1]]

    return Filled(text.title, BLANK.sub(put, text.text), BLANK.sub(put, text.sms))


def _said(blank: Blank, value: str, known: dict[str, date | time], today: date) -> str:
    if not value:
        raise BadInput("fill_missing", field=field_of(blank), name=blank.name)
    match blank.kind:
        case BlankKind.DATE:
            return _day(blank, value, known, today)
        case BlankKind.TIME:
            return _clock(blank, value, known)
        case BlankKind.PLACE | BlankKind.TEXT:
            return _words(blank, value)
        case BlankKind.MONEY:
            return _number(blank, value, float, 0.01)
        case BlankKind.NUMBER:
            return _number(blank, value, int, 1)
        case BlankKind.YEAR:
            return _year(blank, value, today)


def _day(blank: Blank, value: str, known: dict[str, date | time], today: date) -> str:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise BadInput("fill_day", field=field_of(blank), name=blank.name) from None
    if not today <= day <= today + FURTHEST:
        raise BadInput("fill_day_over", field=field_of(blank), name=blank.name)
    _in_order(blank, day, known)
    return f"{day.month}月{day.day}日"


def _clock(blank: Blank, value: str, known: dict[str, date | time]) -> str:
    try:
        at = datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    except ValueError:
        raise BadInput("fill_clock", field=field_of(blank), name=blank.name) from None
    _in_order(blank, at, known)
    return f"{at.hour}:{at.minute:02}"


def _in_order(blank: Blank, value: date | time, known: dict[str, date | time]) -> None:
    before = known.get(blank.after)
    if isinstance(before, date) and isinstance(value, date):
        late = before > value
    else:
        late = isinstance(before, time) and isinstance(value, time) and before >= value
    if late:
        raise BadInput("fill_order", field=field_of(blank), name=blank.name, other=blank.after)
    known[blank.name] = value


def _words(blank: Blank, value: str) -> str:
    if len(value) > LONGEST or _MARKS.search(value):
        raise BadInput("fill_words", field=field_of(blank), name=blank.name, most=LONGEST)
    return value


def _number(blank: Blank, value: str, read: Callable[[str], float], least: float) -> str:
    plain = _AMOUNT.fullmatch(value) is not None and (read is float or value.isdigit())
    if not plain or not least <= read(value) <= blank.most:
        raise BadInput("fill_number", field=field_of(blank), name=blank.name, most=blank.most)
    return f"{float(value):g}"


def _year(blank: Blank, value: str, today: date) -> str:
    if not value.isdigit() or not today.year <= int(value) <= today.year + 1:
        raise BadInput("fill_year", field=field_of(blank), name=blank.name)
    return value
