"""Numbers in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasts.speech.numerals import DIGITS, cardinal, counted, decimal, spell, telephone

COUNTED = """0 零|5 五|10 十|12 十二|20 二十|22 二十二|100 一百|101 一百零一|110 一百一十|119 一百一十九
200 两百|405 四百零五
1000 一千|1005 一千零五|1050 一千零五十|2000 两千|2026 两千零二十六|10000 一万
10005 一万零五|10010 一万零一十|12345 一万二千三百四十五
20000 两万|22000 两万二千|100000 十万|120000 十二万|1010000 一百零一万
100000000 一亿|120000000 一亿二千万|05 零五"""


@pytest.mark.parametrize("case", COUNTED.replace("\n", "|").split("|"))
def test_numbers_are_counted_as_people_count(case: str) -> None:
    digits, words = case.split()
    assert cardinal(digits) == words


def test_the_other_ways_of_saying_a_number() -> None:
    assert spell("2026") == "二零二六"
    assert telephone("96110") == "九六幺幺零"
    assert decimal("1,234.50") == "一千二百三十四点五零"
    assert counted("2") == "两"
    assert counted("12") == "十二"


def _value(words: str) -> int:
    """Read number words back, by a way of its own."""
    total = section = digit = 0
    for char in words.replace("两", "二"):
        if char in DIGITS:
            digit = DIGITS.index(char)
        elif char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0
        else:
            total += (section + digit) * {"万": 10**4, "亿": 10**8}[char]
            section = digit = 0
    return total + section + digit


@given(st.integers(0, 10**12 - 1))
def test_a_number_in_words_is_still_that_number(number: int) -> None:
    assert _value(cardinal(str(number))) == number
