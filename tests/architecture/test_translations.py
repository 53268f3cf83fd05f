"""Every text has its English, and the compiled catalogue is the written one. `scripts/translations` mends it."""

import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "hub" / "translations" / "en" / "LC_MESSAGES"
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
BLANK = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SHOWN_AS_THEY_ARE = re.compile(
    r"[（(]?[\u4e00-\u9fff]+\{|㙟\{|退订|救命|行长|姓名|电话|村\)|出错原因|^六安$|手机应用|怎么读|村干部|请回复1"
)


@cache
def catalogue() -> Catalog:
    """The English texts as they are written."""
    with (FOLDER / "messages.po").open("rb") as file:
        return read_po(file, locale="en")


def first(message: str | tuple[str, ...] | list[str]) -> str:
    return message if isinstance(message, str) else message[0]


def in_source() -> Iterator[tuple[str, str]]:
    """Every text in code and templates, with where it stands."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    for name, line, text, _, _ in extract_from_dir(ROOT, methods, options, KEYWORDS):
        yield first(text), f"{name}:{line}"


def translated(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def test_every_text_in_code_and_templates_has_its_english() -> None:
    texts = dict(in_source())
    assert len(texts) > 300
    missing = {
        text: where
        for text, where in texts.items()
        if (found := catalogue().get(text)) is None or not all(translated(found))
    }
    assert missing == {}, "run scripts/translations and write the English into messages.po"


def test_nothing_stands_in_the_catalogue_that_nobody_says() -> None:
    said = {text for text, _ in in_source()}
    assert {first(message.id) for message in catalogue() if message.id} - said == set()


def test_the_compiled_catalogue_is_the_written_one() -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue())
    assert (FOLDER / "messages.mo").read_bytes() == compiled.getvalue(), "run scripts/translations"


def blanks(text: str) -> set[str]:
    return {a or b for a, b in BLANK.findall(text)} - {"chan3"}


def test_a_translation_keeps_every_blank_except_a_number_its_words_say_already() -> None:
    differing = [
        first(message.id)
        for message in catalogue()
        if message.id
        for text in translated(message)
        if (blanks(text) ^ blanks(first(message.id))) - {"num"}
    ]
    assert differing == []


def test_english_texts_are_english() -> None:
    chinese = [
        text
        for message in catalogue()
        if message.id
        for text in translated(message)
        if CHINESE.search(text) and not SHOWN_AS_THEY_ARE.search(text)
    ]
    assert chinese == []
