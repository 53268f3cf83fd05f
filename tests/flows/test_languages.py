"""Every page in both languages, with something behind every address: nothing is left in the other one.

Both tests are of one process on purpose: what one person has read in English must not be kept for the next.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from builders import COUNTY, PASSWORD, PEOPLE
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from lxml import html
from strangerlab import SECRET, SHARED, addresses, somebody_for_all

from broadcasts.lexicon import importing as lexicon
from hub.core.runtime import Runtime
from hub.residents import importing as residents
from hub.speakers.ledger import importing as ledger

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile(r"[\u3400-\u9fff]+")
SENTENCE = re.compile(r"\b[A-Za-z']+,? [A-Za-z']+,? [A-Za-z']+,? [A-Za-z']+")
SEEN = ("title", "placeholder", "aria-label", "alt")
READ_BY_NOBODY = ("script", "style", "template")
OWN_NAMES = {
    *(SECRET, SHARED, "中文", "试县", "北镇", "南镇", "桥村", "岭村", "渡村", "村口", "全能", "村响"),
    *(name for name, _, _ in PEOPLE.values()),
    *("县应急局局长", "县应急局副局长", "县广播站编辑", "手机应用"),
    *residents.COLUMNS,
    *lexicon.COLUMNS,
    *ledger.COLUMNS,
}
"""What is data in this county, and what is called so in every language: the columns of files, for one."""
EXAMPLES = ("/residents/import", "/speakers/import", "/regions/import")
"""Their tables show a piece of a file as it has to be."""
Page = Callable[[str, str], list[str]]


def strings(data: Any) -> Iterator[str]:
    """Every text in a file of data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from strings(value)


def content() -> str:
    """What is said to villagers and how words are read: Chinese in every language."""
    files = [*(ROOT / "templates" / "messages").rglob("*.toml"), *(ROOT / "broadcasts").rglob("*.toml")]
    files += [*(ROOT / "schedules").rglob("*.toml")]
    readings = (ROOT / "broadcasts" / "speech" / "pronunciation_words.py").read_text("utf-8")
    return readings + "\n".join(text for file in files for text in strings(tomllib.loads(file.read_text("utf-8"))))


def english() -> set[str]:
    with (ROOT / "hub" / "translations" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        found = {message.string for message in read_po(file) if isinstance(message.string, str) and message.id}
    return {text for text in found if re.search(r"[a-z]{3}", text) and not CHINESE.search(text)}


def words(page: str) -> Iterator[str]:
    """Everything a person reads or hears on a page, piece by piece."""
    for element in html.fromstring(page).iter():
        yield element.tail or ""
        if not isinstance(element.tag, str) or element.tag in READ_BY_NOBODY:
            continue
        yield element.text or ""
        yield from (value for name in SEEN if (value := element.get(name)))
        if element.tag == "input" and element.get("type") in ("submit", "button"):
            yield element.get("value", "")


def walked(app: OpenAPI, runtime: Runtime, language: str, foreign: Page) -> dict[str, list[str]]:
    """Open every address as somebody who may do everything; return what is foreign there."""
    with runtime.sessions.begin() as session:
        somebody_for_all(session, COUNTY)
    client: FlaskClient = app.test_client()
    client.post("/sign-in", data={"login": "all", "password": PASSWORD})
    client.post("/language", data={"language": language})
    found, opened = {}, 0
    for rule, address in addresses(app, runtime):
        if "GET" not in (rule.methods or ()) or address.startswith(("/api/", "/static/")):
            continue
        answer = client.get(address)
        assert answer.status_code < 500, address
        if answer.status_code != 200 or answer.mimetype != "text/html" or not answer.text.strip():
            continue
        opened += 1
        if left := [text for piece in words(answer.text) for text in foreign(address, " ".join(piece.split()))]:
            found[address] = left
    assert opened > 100
    return found


def test_no_chinese_is_left_on_an_english_page(app: OpenAPI, runtime: Runtime) -> None:
    data, own = content(), sorted(OWN_NAMES, key=len, reverse=True)

    def foreign(address: str, text: str) -> list[str]:
        if address in EXAMPLES or not CHINESE.search(text):
            return []
        for name in own:
            text = text.replace(name, " ")
        return [run for run in CHINESE.findall(text) if run not in data]

    assert walked(app, runtime, "en", foreign) == {}


def test_no_english_is_left_on_a_chinese_page(app: OpenAPI, runtime: Runtime) -> None:
    # In the trail stands what a key of the hub is for, and from where, as it was noted.
    known = english() - {"English", "test", "phones", *PEOPLE}

    def foreign(address: str, text: str) -> list[str]:
        return [text] if text in known or SENTENCE.search(text) else []

    assert walked(app, runtime, "zh", foreign) == {}
