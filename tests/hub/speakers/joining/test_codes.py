"""Claim codes: typed any way a person types, derived one way, and papers that only the code opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.typed import ALPHABET, new_code, read_code, shown
from hub.speakers.envelope import SigningKey
from hub.speakers.joining.codes import claim_id, papers_key
from hub.speakers.joining.papers import NO_NUMBER_YET, Issuer, Papers, open_papers, seal_papers

CODE = "0123456789ABCDEF"
KEY = SigningKey.generate("h1").public()
FIXED_ID = "f94b11c74f7cad45c5055c8ecb2f3f962e39072d"
FIXED_KEY = "988fcdaa3d14b5dd6bdc601f611a5132965ab3ec752b0276b1c0e45e8316e5e0"
CODES = st.text(ALPHABET, min_size=16, max_size=16)


def papers() -> Papers:
    issuer = Issuer("broker.example", 8883, True, "-----BEGIN CERTIFICATE-----\n", {"h1": KEY})
    return issuer.papers("h0001", "a-secret-of-16-characters", ("990101000000", "990101001000"))


def test_new_codes_are_long_and_never_the_same() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(read_code(code) == code for code in codes)


@pytest.mark.parametrize(
    "typed",
    [
        "0123-4567-89AB-CDEF",
        "0123 4567 89ab cdef",
        " o123-4567-89AB-CDEF\n",
        "O1234567 89ABCDEF".replace("1", "I"),
        "ol23456789abcdef",
        "０１２３－４５６７－８９ＡＢ－ＣＤＥＦ",
        "0123—4567—89AB—CDEF",
        "https://hub.example/join#0123-4567-89AB-CDEF",
    ],
)
def test_a_code_may_be_typed_in_many_ways(typed: str) -> None:
    assert read_code(typed) == CODE


@pytest.mark.parametrize("typed", ["", "0123", "0123456789ABCDEFG", "U123456789ABCDEF", "012345678 9ABCDE", "村响"])
def test_what_cannot_be_a_code_is_no_code(typed: str) -> None:
    assert read_code(typed) is None


@given(CODES)
def test_a_shown_code_is_read_back(code: str) -> None:
    assert read_code(shown(code)) == code
    assert len(shown(code)) == 19


@given(CODES, st.integers(0, 15), st.sampled_from(ALPHABET))
def test_one_wrong_character_makes_another_claim(code: str, at: int, character: str) -> None:
    wrong = code[:at] + character + code[at + 1 :]
    assert (claim_id(wrong) == claim_id(code)) == (wrong == code)


def test_the_name_of_a_claim_gives_neither_code_nor_key_away() -> None:
    name, key = claim_id(CODE), papers_key(CODE)
    assert len(name) == 40
    assert len(key) == 32
    assert CODE.lower() not in name
    assert bytes.fromhex(name)[:20] != key[:20]


def test_the_derivation_never_changes_or_printed_codes_would_be_worth_nothing() -> None:
    assert claim_id(CODE) == FIXED_ID
    assert papers_key(CODE).hex() == FIXED_KEY


def test_papers_come_out_as_they_went_in() -> None:
    assert open_papers(CODE, seal_papers(CODE, papers())) == papers()
    assert seal_papers(CODE, papers()) != seal_papers(CODE, papers()), "a nonce of its own each time"


@given(CODES.filter(lambda code: code != CODE))
def test_another_code_opens_nothing(code: str) -> None:
    assert open_papers(code, seal_papers(CODE, papers())) is None


@pytest.mark.parametrize("text", ["", "!", "AAAA", "A" * 400])
def test_nonsense_opens_nothing(text: str) -> None:
    assert open_papers(CODE, text) is None


def test_altered_papers_open_nothing() -> None:
    sealed = seal_papers(CODE, papers())
    for at in (0, 20, len(sealed) // 2, len(sealed) - 4):
        other = "B" if sealed[at] == "A" else "A"
        assert open_papers(CODE, sealed[:at] + other + sealed[at + 1 :]) is None


def test_until_its_first_settings_no_command_to_a_region_means_a_new_device() -> None:
    device = papers().device_file("hub.example", None)
    assert device.settings().number == NO_NUMBER_YET
    assert device.broker_host == "broker.example"


def test_without_a_broker_address_the_device_takes_the_one_it_reached_the_hub_by() -> None:
    found = papers().model_copy(update={"broker_host": ""}).device_file("10.0.0.7", None)
    assert found.broker_host == "10.0.0.7"
    assert "a-secret" not in repr(papers())
