"""The staff manual has a place for every line of the menu, shows pictures that exist, and names buttons that exist."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import KEY
from hub.web.manual import CHAPTERS, FOLDER, PICTURES, chapter_about, chapters
from hub.web.menu import Menu

ROOT = Path(__file__).resolve().parents[3]
PICTURE = re.compile(r"!\[[^\]]+\]\(图/([^)]+)\)")
MOST_BYTES = 3_000_000
CATALOGUE = ROOT / "hub" / "translations" / "en" / "LC_MESSAGES" / "messages.po"
QUOTED = (
    re.compile("“([^“”]+)”"),
    re.compile(r"[点按勾选]\*\*([^*]+)\*\*"),
    re.compile(r"^- \*\*([^*]+)\*\*：", re.MULTILINE),
)
"""How the manual names what stands on a page: in quotes, or bold after a verb or at the head of a line about it."""
SAID_NOT_WRITTEN = {"演练，演练，演练", "刚才是误播", "救命", "被困", "没有送出去"}
"""What loudspeakers, residents and the command line say."""
SignIn = Callable[[str], FlaskClient]


def texts() -> dict[str, str]:
    return {name: (FOLDER / name).read_text(encoding="utf-8") for name in CHAPTERS.values()}


def test_every_line_of_the_menu_has_its_place_in_the_manual_once(one_app: OpenAPI) -> None:
    keys = {entry.key for entry in one_app.extensions[KEY].get(Menu).entries}
    told = [page for chapter in chapters().values() for page in chapter.pages]
    assert sorted(keys - set(told)) == [], "lines of the menu that no chapter explains"
    assert sorted(set(told) - keys) == [], "sections about lines that the menu does not have"
    assert len(told) == len(set(told))


def test_a_section_is_headed_as_its_line_of_the_menu(one_app: OpenAPI) -> None:
    labels = {entry.key: entry.label for entry in one_app.extensions[KEY].get(Menu).entries}
    with one_app.test_request_context():
        wrong = [
            (key, str(label))
            for key, label in labels.items()
            if not re.search(
                rf"<!-- 页面: {re.escape(key)} -->\n## {re.escape(str(label))}\n", "\n".join(texts().values())
            )
        ]
    assert wrong == []


def test_every_picture_that_is_named_exists_and_every_one_is_named() -> None:
    named = {name for text in texts().values() for name in PICTURE.findall(text)}
    assert named, "a manual without pictures is hard to follow"
    assert named == {path.name for path in PICTURES.iterdir()}
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < MOST_BYTES
    assert all(path.read_bytes()[8:12] == b"WEBP" for path in PICTURES.iterdir())


def on_pages() -> set[str]:
    """Every text of every page, as the catalogue has it; what is filled in stands as N."""
    with CATALOGUE.open("rb") as file:
        ids = [message.id for message in read_po(file) if message.id]
    return {re.sub(r"%\(\w+\)s", "N", str(text)) for one in ids for text in (one if isinstance(one, tuple) else (one,))}


def test_buttons_that_the_manual_quotes_are_called_so_on_a_page() -> None:
    known = on_pages() | SAID_NOT_WRITTEN
    quoted = {(name, words) for name, text in texts().items() for way in QUOTED for words in way.findall(text)}
    assert len(quoted) > 60
    assert sorted(one for one in quoted if one[1] not in known) == []
    assert {words for _, words in quoted} >= SAID_NOT_WRITTEN, "an exception that nothing needs any more"


def test_chapters_lead_to_chapters_that_exist() -> None:
    led = {name for text in texts().values() for name in re.findall(r"\]\(([^)/]+\.md)\)", text)}
    assert led <= set(CHAPTERS.values())
    assert all("<script" not in chapter.body for chapter in chapters().values())


def test_every_page_leads_to_the_section_about_it(sign_in: SignIn, clock: SetClock) -> None:
    client = sign_in("clerk")
    assert 'href="/help/about/speakers"' in client.get("/speakers").text
    answer = client.get("/help/about/speakers", follow_redirects=True)
    assert answer.status_code == 200
    assert '<section id="speakers"><h2>喇叭设备</h2>' in answer.text
    assert chapter_about("speakers") is not None
    assert client.get("/help/about/nothing", follow_redirects=True).status_code == 200
    assert client.get("/help/nothing").status_code == 404


def test_pictures_are_handed_out_to_who_is_signed_in_and_nothing_else_is(sign_in: SignIn, app: OpenAPI) -> None:
    client = sign_in("clerk")
    name = min(path.name for path in PICTURES.iterdir())
    with client.get(f"/help/pictures/{name}") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    assert client.get("/help/pictures/..%2FREADME.md").status_code == 404
    assert app.test_client().get(f"/help/pictures/{name}").status_code == 302


@pytest.mark.parametrize("key", list(CHAPTERS))
def test_a_chapter_shows_no_markdown_that_was_not_understood(sign_in: SignIn, key: str) -> None:
    page = sign_in("viewer").get(f"/help/{key}").text
    body = page.partition("<article")[2].partition("</article>")[0]
    assert body
    assert not re.search(r"\*\*|!\[|&lt;!--|\]\(", body)
