"""Telephone numbers: however typed, one number or one clear reason why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smslab import LAB_SECRETS

from hub.core.errors import BadInput, Unavailable
from hub.core.secrets import Secrets, first_signing
from hub.residents.models import NumberKind
from hub.residents.phones import Number, PhoneSafe, mask, normalise


@pytest.mark.parametrize(
    "text",
    [
        "13800001122",
        " 138 0000 1122 ",
        "138-0000-1122",
        "+8613800001122",
        "+86 138-0000-1122",
        "008613800001122",
        "8613800001122",
        "１３８００００１１２２",
        "＋８６　１３８００００１１２２",
        "\u202a13800001122\u202c",
        "138\u00a00000\u200b1122",
    ],
)
def test_one_mobile_in_many_spellings(text: str) -> None:
    number = normalise(text)
    assert (number.e164, number.kind) == ("+8613800001122", NumberKind.MOBILE)


@pytest.mark.parametrize(
    ("text", "e164", "kind"),
    [
        ("0871-6123456", "+868716123456", NumberKind.LANDLINE),
        ("（0871）61234567", "+8687161234567", NumberKind.LANDLINE),
        ("010 8888 8888", "+861088888888", NumberKind.LANDLINE),
        ("+86 871 6123 4567", "+8687161234567", NumberKind.LANDLINE),
        ("400-123-4567", "+864001234567", NumberKind.OTHER),
        ("+852 9123 4567", "+85291234567", NumberKind.MOBILE),
        ("0085291234567", "+85291234567", NumberKind.MOBILE),
        ("+95 9 212 3456", "+9592123456", NumberKind.MOBILE),
    ],
)
def test_landlines_service_numbers_and_numbers_abroad_are_told_apart(text: str, e164: str, kind: NumberKind) -> None:
    number = normalise(text)
    assert (number.e164, number.kind) == (e164, kind)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "phone_missing"),
        ("　", "phone_missing"),
        ("1380000112", "phone_wrong_length"),
        ("138000011223", "phone_wrong_length"),
        ("+86 1380000112", "phone_wrong_length"),
        ("1.38E+10", "phone_scientific"),
        ("13800001122/13800001123", "phone_several"),
        ("1380000112213800001123", "phone_several"),
        ("张三", "phone_not_digits"),
        ("13800001122a", "phone_not_digits"),
        ("138+0000", "phone_not_digits"),
        ("61234567", "phone_area_code_missing"),
        ("0871-612345", "phone_landline_length"),
        ("95588", "phone_service_number"),
        ("110", "phone_service_number"),
        ("1069999999", "phone_service_number"),
        ("12345678901", "phone_unknown"),
        ("+852 1", "phone_foreign"),
        ("+999123456789", "phone_foreign"),
        ("٠١٢٣٤٥٦٧٨٩٠", "phone_not_digits"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(text: str, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        normalise(text)
    assert caught.value.code == code
    assert caught.value.field == "phone"


def understood(text: str) -> Number | BadInput:
    try:
        return normalise(text)
    except BadInput as problem:
        return problem


@given(st.one_of(st.text(max_size=30), st.text("0123456789+- ./e", max_size=24)))
def test_no_text_breaks_it_and_neither_number_nor_error_shows_what_was_typed(text: str) -> None:
    result = understood(text)
    if isinstance(result, Number):
        assert normalise(result.e164) == result
        assert "****" in result.masked
        assert result.e164 not in repr(result)
    else:
        assert set(result.params) <= {"count"}


@pytest.mark.parametrize(
    ("e164", "shown"),
    [
        ("+8613800001122", "138****1122"),
        ("+868716123456", "0871-****456"),
        ("+861088888888", "010-****888"),
        ("+864001234567", "400****4567"),
        ("+85291234567", "+852****4567"),
    ],
)
def test_masks(e164: str, shown: str) -> None:
    assert mask(e164) == shown


def test_a_sealed_number_comes_back_and_never_looks_the_same(phone_safe: PhoneSafe) -> None:
    one, two = phone_safe.seal("+8613800001122"), phone_safe.seal("+8613800001122")
    assert one != two
    assert phone_safe.open(one) == phone_safe.open(two) == "+8613800001122"
    assert b"138" not in one
    assert len(one) <= 80


def test_a_damaged_or_foreign_seal_is_refused(phone_safe: PhoneSafe) -> None:
    sealed = phone_safe.seal("+8613800001122")
    other = PhoneSafe(Secrets("demo", b"", b"q" * 32, b"r" * 32, "", first_signing(b"")))
    for safe, box in ((phone_safe, sealed[:-1] + b"\0"), (phone_safe, b""), (phone_safe, sealed[:5]), (other, sealed)):
        with pytest.raises(Unavailable, match="phone_unreadable"):
            safe.open(box)
    assert other.index("+8613800001122") != phone_safe.index("+8613800001122")


def test_the_index_finds_a_number_and_needs_the_key(phone_safe: PhoneSafe) -> None:
    assert phone_safe.index("+8613800001122") == PhoneSafe(LAB_SECRETS).index("+8613800001122")
    assert phone_safe.index("+8613800001122") != phone_safe.index("+8613800001123")
    assert len(phone_safe.index("+8613800001122")) == 16
