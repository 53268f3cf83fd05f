"""The staff manual: chapters in Markdown under docs/手册, each section marked with the pages it is about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markupsafe import Markup

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "手册"
PICTURES: Final = FOLDER / "图"
CHAPTERS: Final[Mapping[str, str]] = {
    "start": "README.md",
    "clerk": "办事员.md",
    "approver": "审批人.md",
    "secretary": "村书记.md",
    "duty": "值班员.md",
    "county": "县里.md",
    "admin": "管理员.md",
}
"""Addresses of chapters, and their files."""
_MARK: Final = re.compile(r"<!-- 页面: ([a-z0-9_, -]+) -->\n(## .+)\n")
_PICTURE: Final = re.compile(r'(<img src=")图/([a-z0-9-]+\.webp)"')
_CHAPTER: Final = re.compile(r'(<a href=")([^"/]+\.md)"')


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter as a page shows it. `pages`: which menu lines have a section in it."""

    key: str
    title: str
    body: Markup
    pages: tuple[str, ...]


@cache
def chapters() -> Mapping[str, Chapter]:
    """Return all chapters by address; none where the manual was not installed with the program."""
    return {key: _chapter(key, FOLDER / name) for key, name in CHAPTERS.items() if (FOLDER / name).exists()}


def chapter_about(page: str) -> Chapter | None:
    """Return the chapter with a section about a line of the menu."""
    return next((chapter for chapter in chapters().values() if page in chapter.pages), None)


def _chapter(key: str, path: Path) -> Chapter:
    text = path.read_text(encoding="utf-8")
    pages: list[str] = []
    parts = _MARK.split(text)
    html = [_html(parts[0])]
    for marks, heading, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        names = [name.strip() for name in marks.split(",")]
        pages += names
        html.append(Markup('<section id="{}">').format(names[0]) + _html(f"{heading}\n{rest}") + Markup("</section>"))
    title = text.partition("\n")[0].removeprefix("# ")
    return Chapter(key, title, Markup("").join(html), tuple(pages))


def _html(text: str) -> Markup:
    """Return Markdown as HTML; HTML in it stays text. Pictures and chapters get the addresses they have here."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    made = _PICTURE.sub(r'\1/help/pictures/\2" loading="lazy"', _unquoted(made))
    keys = {name: key for key, name in CHAPTERS.items()}
    return Markup(_CHAPTER.sub(lambda found: f'{found[1]}/help/{keys.get(found[2], "start")}"', made))  # noqa: S704 - the program's own papers


def _unquoted(made: str) -> str:
    """Return HTML with the Chinese names in addresses as they are written, not percent by percent."""
    return re.sub(r'((?:src|href)=")([^"]+)"', lambda found: f'{found[1]}{unquote(found[2])}"', made)
