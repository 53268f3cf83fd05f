"""Sentences as villages hear them, and how an announcer reads them (readings.tsv)."""

import csv
from pathlib import Path

import pytest

from broadcasts.speech.numerals import price
from broadcasts.speech.reading import as_read

with (Path(__file__).parent / "readings.tsv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['theme']}-{row['written'][:12]}")
def test_a_sentence_is_read_as_an_announcer_reads_it(row: dict[str, str]) -> None:
    assert as_read(row["written"]).spoken.replace(" ", "") == row["spoken"].replace(" ", "")


def test_the_table_is_wide_and_partly_blind() -> None:
    assert len(ROWS) >= 300
    assert len({row["written"] for row in ROWS}) == len(ROWS)
    assert sum(row["set"] == "blind" for row in ROWS) >= 60
    assert len({row["theme"] for row in ROWS}) >= 10


@pytest.mark.parametrize(
    ("written", "spoken"),
    [("38.00", "三十八"), ("4.80", "四点八"), ("0.56", "零点五六"), ("22,500.00", "两万二千五百"), ("5", "五")],
)
def test_a_price_has_no_idle_zeros(written: str, spoken: str) -> None:
    assert price(written) == spoken


def test_what_comes_out_of_a_web_page_is_left_out_with_a_word_about_it() -> None:
    reading = as_read("<b>通知</b>&nbsp;今晚开会")
    assert reading.spoken == "通知今晚开会"
    assert {w.written for w in reading.warnings} == {"<b>", "</b>&nbsp;"}
