"""Readings from and to a CSV or Excel file. A file with one mistake in it changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from broadcasts.lexicon.entries import Entry, entry_of
from broadcasts.lexicon.models import LexiconEntry
from hub.core.errors import BadInput, Problems
from hub.web.spreadsheets import bad_file, plain_heading, read_table, write_csv

WORD, SAID, NOTE, OFF = COLUMNS = ("词", "怎么读", "备注", "停用")
_ALSO = {
    WORD: ("词", "词语", "写法", "word", "地名"),
    SAID: ("怎么读", "读法", "读音", "拼音", "pinyin", "said"),
    NOTE: ("备注", "说明", "note"),
}
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one row; `number` counts as the spreadsheet does."""

    number: int
    word: str
    said: str
    error: BadInput


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file holds. With problems nothing of it is taken in."""

    entries: tuple[Entry, ...]
    problems: tuple[RowProblem, ...]


def read(data: bytes) -> Plan:
    """Return what a file holds; BadInput when it is no such list at all."""
    table = read_table(data)
    at, columns = _heading(table)
    entries: dict[str, Entry] = {}
    problems: list[RowProblem] = []
    for number, row in enumerate(table[at + 1 :], start=at + 2):
        word, said, note = (_cell(row, columns.get(column)) for column in (WORD, SAID, NOTE))
        if not any((word, said, note)):
            continue
        try:
            entry = entry_of(word, said, note)
        except Problems as error:
            problems += [RowProblem(number, word, said, problem) for problem in error.problems]
            continue
        if entry.word in entries:
            twice = BadInput("lexicon_word_twice", field="word", word=entry.word)
            problems.append(RowProblem(number, word, said, twice))
        entries[entry.word] = entry
    if not entries and not problems:
        raise bad_file("import_empty")
    return Plan(tuple(entries.values()), tuple(problems[:MOST_PROBLEMS]))


def csv_of(rows: Sequence[LexiconEntry]) -> bytes:
    """Return a CSV file that comes in again as it went out."""
    return write_csv(COLUMNS, [(row.word, row.said, row.note, "" if row.active else OFF) for row in rows])


def _heading(table: list[list[str]]) -> tuple[int, dict[str, int]]:
    names = {plain_heading(name): column for column, also in _ALSO.items() for name in also}
    for at, row in enumerate(table[:10]):
        found: dict[str, int] = {}
        for place, cell in enumerate(row):
            if column := names.get(plain_heading(cell)):
                found.setdefault(column, place)
        if WORD in found and SAID in found:
            return at, found
    raise bad_file("import_heading_missing", columns=f"{WORD}、{SAID}")


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""
