"""Counting parts, against an oracle that really cuts the text into parts."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcasts.sms.segments import Policy, cost_fen, measure, parts_of, signed

ALPHABET = "a1 村响通知。，€[]^~😀𠮷\n@"
TEXTS = st.one_of(
    st.text(st.sampled_from(ALPHABET), max_size=400),
    st.text(max_size=200),
    st.builds(
        lambda base, tail, n: base * n + tail, st.sampled_from("村😀a€"), st.text(max_size=4), st.integers(0, 330)
    ),
)
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abc"
    "defghijklmnopqrstuvwxyzäöñüà"
)
GSM_ESCAPED = "\f^{}\\[~]|€"


def cut_utf16(text: str) -> int:
    """Cut UTF-16 bytes into parts, moving a cut back when it would leave half a character; return how many."""
    raw = text.encode("utf-16-be")
    if len(raw) <= 140:
        return 1 if raw else 0
    parts = []
    while raw:
        piece = raw[:134]
        try:
            piece.decode("utf-16-be")
        except UnicodeDecodeError:
            piece = raw[:132]
        parts.append(piece.decode("utf-16-be"))
        raw = raw[len(piece) :]
    assert "".join(parts) == text
    return len(parts)


def cut_gsm(text: str) -> int:
    """The same for a text in the GSM alphabet, escaped characters as two that must stay together."""
    septets = "".join(("\x1b" + c) if c in GSM_ESCAPED else c for c in text)
    if len(septets) <= 160:
        return 1 if septets else 0
    count = 0
    while septets:
        size = 152 if septets[:153].endswith("\x1b") else 153
        septets = septets[size:]
        count += 1
    return count


def oracle(text: str, policy: Policy) -> int:
    gsm = "\x1b" not in text and all(c in GSM_BASIC or c in GSM_ESCAPED for c in text)
    return cut_gsm(text) if policy is Policy.GSM and gsm else cut_utf16(text)


@given(TEXTS, st.sampled_from(Policy))
@settings(max_examples=600, deadline=None)
def test_parts_are_counted_as_they_are_cut(text: str, policy: Policy) -> None:
    assert parts_of(text, policy) == measure(text, policy).parts == oracle(text, policy)


@given(TEXTS, st.sampled_from(Policy))
@settings(max_examples=400, deadline=None)
def test_cutting_what_is_over_saves_a_part_and_one_character_less_does_not(text: str, policy: Policy) -> None:
    measured = measure(text, policy)
    over = measured.chars_over
    assert (over == 0) == (measured.parts <= 1)
    if over:
        # Without its only Chinese character a text may count in the cheaper alphabet: fewer parts is fine.
        assert parts_of(text[:-over], policy) <= measured.parts - 1
        kept = text[: len(text) - over + 1]
        if policy is Policy.DOMESTIC:
            assert parts_of(kept, policy) == measured.parts


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_there_is_as_much_room_as_is_said(text: str) -> None:
    measured = measure(text)
    assert parts_of(text + "村" * measured.room) == max(measured.parts, 1)
    assert parts_of(text + "村" * (measured.room + 1)) == max(measured.parts, 1) + 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [("", 0), ("村" * 70, 1), ("村" * 71, 2), ("村" * 134, 2), ("村" * 135, 3), ("a" * 70, 1), ("a" * 71, 2)],
)
def test_domestic_parts_are_70_then_67_whatever_the_characters(text: str, parts: int) -> None:
    assert parts_of(text) == parts


def test_a_pair_at_the_edge_of_a_part_moves_to_the_next() -> None:
    assert parts_of("村" * 66 + "😀" + "村" * 66) == 3
    assert parts_of("村" * 67 + "😀" + "村" * 65) == 2


def test_the_signature_counts() -> None:
    assert signed("通知", "青石镇") == "【青石镇】通知"
    assert measure(signed("村" * 66, "青石镇")) == measure("村" * 71)
    assert measure("村" * 71).chars_over == 1


def test_latin_text_is_cheaper_abroad() -> None:
    assert parts_of("a" * 160, Policy.GSM) == 1
    assert parts_of("a" * 160, Policy.DOMESTIC) == 3
    assert parts_of("a" * 159 + "€", Policy.GSM) == 2


def test_cost_is_rounded_once_at_the_end() -> None:
    assert cost_fen(3, Decimal("4.5")) == 14
    assert cost_fen(6252, Decimal("4.5")) == 28134


def test_half_a_pair_is_counted_and_not_refused() -> None:
    assert parts_of("\ud83d" * 71) == 2
