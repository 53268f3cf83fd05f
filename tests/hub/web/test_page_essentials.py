"""What every page owes to people who cannot see it, or not well: names, labels, headings, references, contrast."""

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from builders import BRIDGE, NORTH
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from hub.web.shell import STATIC

SignIn = Callable[[str], FlaskClient]
VOID = frozenset({"input", "meta", "link", "br", "hr", "img", "source", "circle", "path", "rect", "use", "line"})
NAMED = frozenset({"a", "button", "summary"})
NEEDS_LABEL = frozenset({"input", "select", "textarea"})
NEEDS_NONE = frozenset({"hidden", "submit", "image"})
REFERENCES = ("for", "aria-describedby", "aria-labelledby", "form", "list")
MORE_PAGES = (
    f"/speakers?region={BRIDGE}",
    "/speakers/s1001-1",
    f"/speakers/map?region={BRIDGE}",
    f"/speakers/patrol?region={NORTH}",
    "/speakers/s1001-1/move",
    "/speakers/s1001-1/replace",
    f"/compose?region={BRIDGE}",
    f"/silence?region={BRIDGE}",
    f"/regions/{NORTH}",
    f"/emergency?hazard=rainstorm&colour=red&area={NORTH}",
)
PAIRS = (
    ("ink", "bg"), ("ink", "surface"), ("ink", "sunk"), ("dim", "bg"), ("dim", "surface"), ("dim", "sunk"),
    ("link", "bg"), ("link", "surface"), ("link", "sunk"), ("brand-on", "brand"), ("bad-on", "bad"),
    ("bad-ink", "bad-soft"), ("bad-ink", "surface"), ("ok-ink", "ok-soft"), ("warn-ink", "warn-soft"),
    ("drill-ink", "drill-soft"), ("nav-ink", "nav"), ("nav-ink", "nav-on"), ("ink", "brand-soft"),
    ("ink", "map-ok"), ("ink", "map-warn"), ("ink", "map-bad"),
)  # fmt: skip


class Essentials(HTMLParser):
    """Collects what a page lacks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.levels: list[int] = []
        self.labelled: set[str] = set()
        self.waiting: list[tuple[str, str]] = []
        self.open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(text)
        self.finish()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.look_at(tag, given)
        if tag not in VOID:
            self.open.append((tag, given, []))

    def look_at(self, tag: str, given: dict[str, str]) -> None:
        if "id" in given:
            self.ids.append(given["id"])
        self.references += [one for name in REFERENCES for one in given.get(name, "").split()]
        if tag == "label":
            self.labelled.add(given.get("for", ""))
        if tag in NEEDS_LABEL and given.get("type", "") not in NEEDS_NONE:
            inside = any(each == "label" for each, _, _ in self.open)
            if not inside and not given.get("aria-label"):
                self.waiting.append((given.get("id", ""), given.get("name", tag)))
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.faults += [f"an inline handler {name}" for name in given if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        hidden = any(given.get("aria-hidden") == "true" for _, given, _ in self.open)
        if not hidden and data.strip():
            for _, _, words in self.open:
                words.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        while self.open and tag not in VOID:
            found, given, words = self.open.pop()
            named = found in NAMED or re.fullmatch(r"h[1-6]", found)
            if named and not words and not given.get("aria-label") and given.get("aria-hidden") != "true":
                self.faults.append(f"<{found}> without a name: {given.get('href', given.get('id', ''))}")
            if found == tag:
                return

    def finish(self) -> None:
        self.faults += [f"<{name}> without a label" for one, name in self.waiting if one not in self.labelled]
        self.faults += [f"id {one} twice" for one, number in Counter(self.ids).items() if number > 1]
        self.faults += [f"nothing has the id {one}" for one in self.references if one not in self.ids]
        if self.levels.count(1) != 1:
            self.faults.append(f"{self.levels.count(1)} headings of the first level")
        self.faults += [f"h{low} after h{high}" for high, low in pairwise(self.levels) if low > high + 1]


def pages_of(app: OpenAPI) -> list[str]:
    """Return every page without a blank in its address."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and not rule.arguments
        and not rule.rule.startswith(("/static", "/api", "/openapi"))
    )


@pytest.mark.slow
@pytest.mark.parametrize("who", ["clerk", "duty", "county"])
def test_every_page_can_be_used_without_seeing_it(app: OpenAPI, sign_in: SignIn, who: str) -> None:
    client, wrong, seen = sign_in(who), [], 0
    for path in (*pages_of(app), *MORE_PAGES):
        answer = client.get(path)
        if answer.status_code == 200 and answer.mimetype == "text/html" and "<html" in answer.text:
            seen += 1
            wrong += [f"{path}: {fault}" for fault in Essentials(answer.text).faults]
        answer.close()
    assert seen > 12
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<h1>村</h1><input id='a' name='q'>", "<q> without a label"),
        ("<h1>村</h1><button><svg aria-hidden='true'><text>x</text></svg></button>", "<button> without a name: "),
        ("<h1>村</h1><h3>组</h3>", "h3 after h1"),
        ("<h2>村</h2>", "0 headings of the first level"),
        ("<h1>村</h1><p id='a'></p><p id='a'></p>", "id a twice"),
        ("<h1>村</h1><label for='a'>名字</label>", "nothing has the id a"),
        ("<h1>村</h1><a href='/x' onclick='go()'>去</a>", "an inline handler onclick"),
    ],
)
def test_each_fault_is_seen(text: str, fault: str) -> None:
    assert fault in Essentials(text).faults


def test_a_page_without_faults_has_none() -> None:
    page = "<h1>村</h1><label for='a'>名字</label><input id='a'><a href='/' aria-label='回去'></a><h2>组</h2>"
    assert Essentials(page).faults == []


def themes() -> list[dict[str, str]]:
    """Return the colours of the light theme, and the two ways to the dark one."""
    css = Path(STATIC / "app.css").read_text("utf-8")
    blocks = re.findall(r"\n  color-scheme: ([^}]+)", css)[:3]
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block)) for block in blocks]
    return [found[0] | theme for theme in found]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_words_stand_out_from_their_ground_by_day_and_by_night() -> None:
    weak = [
        f"{front} on {back}: {contrast(theme[front], theme[back]):.1f}"
        for theme in themes()
        for front, back in PAIRS
        if contrast(theme[front], theme[back]) < 4.5
    ]
    assert weak == []
    light, by_choice, by_system = themes()
    assert light != by_choice
    assert by_choice == by_system


def test_contrast_is_reckoned_as_the_web_does() -> None:
    assert round(contrast("#000", "#fff"), 1) == 21.0
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54
