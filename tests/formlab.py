"""Forms as they stand on pages: found, filled with nothing or nonsense, sent; and what a refusal owes its reader."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import urljoin, urlsplit

import requests
from lxml import html
from lxml.html import HtmlElement

WRONG = {
    "number": "abc",
    "date": "2026-13-45",
    "month": "2026-13",
    "time": "25:99",
    "datetime-local": "2026-13-45T25:99",
    "tel": "1380000112",
    "email": "a@",
    "checkbox": "no-such-choice",
    "radio": "no-such-choice",
    "select": "no-such-choice",
    "hidden": "",
}
"""What nobody can mean, by kind of field; every other field gets NONSENSE."""
NONSENSE = "错" * 1_500
A_FILE = ("nonsense.bin", b"\x00\x01nonsense", "application/octet-stream")
NOT_TYPED = ("hidden", "submit", "button", "image", "reset")
FAULT = "出错："
TAKEN_FOR_OLD = 400
"""What a form of another session gets: then nothing was tried."""
UNREACHED = 503
"""Where no broker runs, a loudspeaker cannot be asked to sound."""
ON_NO_FIELD = frozenset({401, 413})
"""Who signs in wrongly is not told which of the two was wrong; what is too large was not read at all."""
SUMMARY_LINKS = "//*[@id='errors']//a"


@dataclass(frozen=True, slots=True)
class Box:
    """One field of a form: what a browser would send of it if nobody touched it (none: nothing)."""

    name: str
    kind: str
    value: str | None

    @property
    def typed(self) -> bool:
        """Whether a person fills it in."""
        return self.kind not in NOT_TYPED


@dataclass(frozen=True, slots=True)
class Form:
    """One form that is sent by POST, and the page it stands on."""

    page: str
    number: int
    action: str
    boxes: tuple[Box, ...]

    @property
    def typed(self) -> tuple[str, ...]:
        """The names of what a person fills in."""
        return tuple(sorted({box.name for box in self.boxes if box.typed}))

    def now_on(self, text: str) -> "Form | None":
        """Return the same form as it stands on that text of its page; none where it is no longer there."""
        same = (self.action, self.typed)
        return next((form for form in forms_on(self.page, text) if (form.action, form.typed) == same), None)

    def filled(self, *, wrongly: bool) -> list[tuple[str, tuple[str | None, str | bytes, str]]]:
        """Return the parts to send: all that can be left empty is empty, or all that is typed is wrong."""
        parts: list[tuple[str, tuple[str | None, str | bytes, str]]] = []
        for box in self.boxes:
            if box.kind == "file":
                parts.append((box.name, A_FILE if wrongly else ("", b"", "application/octet-stream")))
                continue
            value = _wrong(box) if wrongly else _nothing(box)
            if value is not None:
                parts.append((box.name, (None, value, "text/plain; charset=utf-8")))
        return parts


def forms_on(page: str, text: str) -> Iterator[Form]:
    """Find the forms of a page that are sent by POST and that somebody can fill in."""
    document = html.fromstring(text)
    for number, form in enumerate(document.iter("form")):
        if (form.get("method") or "get").lower() != "post":
            continue
        elsewhere = [each for each in _all(document, "//*[@form]") if each.get("form") == form.get("id")]
        inside = [each for each in form.iter("input", "select", "textarea", "button") if not each.get("form")]
        boxes = tuple(_boxes([*inside, *elsewhere]))
        action = urlsplit(urljoin(page, form.get("action") or page))
        found = Form(page, number, action.path + (f"?{action.query}" if action.query else ""), boxes)
        if found.typed:
            yield found


def _boxes(controls: list[HtmlElement]) -> Iterator[Box]:
    pressed = False
    for control in controls:
        name, kind = control.get("name"), _kind(control)
        if not name or control.get("disabled") is not None:
            continue
        if kind == "submit":
            if not pressed:
                yield Box(name, kind, control.get("value") or "")
            pressed = True
        elif kind not in ("button", "image", "reset"):
            yield Box(name, kind, _untouched(control, kind))


def _kind(control: HtmlElement) -> str:
    if control.tag == "button":
        return control.get("type") or "submit"
    return (control.get("type") or "text") if control.tag == "input" else str(control.tag)


def _untouched(control: HtmlElement, kind: str) -> str | None:
    if kind in ("checkbox", "radio"):
        return (control.get("value") or "on") if control.get("checked") is not None else None
    if kind == "select":
        chosen = _all(control, ".//option[@selected]") or _all(control, ".//option")
        return (chosen[0].get("value") or "") if chosen else None
    return (control.text or "") if kind == "textarea" else (control.get("value") or "")


def _nothing(box: Box) -> str | None:
    if box.kind in (*NOT_TYPED, "select"):
        return box.value  # there is no way to choose nothing in a list, and nobody sees what is hidden
    return None if box.kind in ("checkbox", "radio") else ""


def _wrong(box: Box) -> str | None:
    return WRONG.get(box.kind, NONSENSE) if box.typed else box.value


def send(person: requests.Session, address: str, form: Form, *, wrongly: bool) -> requests.Response:
    """Send it as a browser does that lets everything pass."""
    headers = {"Referer": address + form.page}
    return person.post(address + form.action, files=form.filled(wrongly=wrongly), headers=headers, timeout=30)


def faults_of(status: int, text: str) -> list[str]:
    """Return what is wrong with an answer to a form: a refusal says so in its title, above the form, and leads on."""
    if (status >= 500 and status != UNREACHED) or status == TAKEN_FOR_OLD:
        return [f"answers {status}"]
    if status < 400 and 'role="alert"' not in text:
        return []
    if "<html" not in text[:200]:
        return [f"answers {status} without a page"]
    document = html.fromstring(text)
    title = (document.findtext(".//title") or "").strip()
    faults = [] if title.startswith(FAULT) else [f"{status}: its title is {title}"]
    if status < 400 or status in ON_NO_FIELD:
        return faults
    if not _all(document, "//*[@id='errors']"):
        return [*faults, f"{status}: nothing above the form: {_said(document)}"]
    there = {each.get("id") for each in _all(document, "//*[@id]")}
    links = [each.get("href") or "" for each in _all(document, SUMMARY_LINKS)]
    return faults + [
        f"leads to {link}, which is not there" for link in links if link[:1] == "#" and link[1:] not in there
    ]


def ways_back(text: str) -> list[tuple[str, str]]:
    """Return page and field of every way back that a refusal on a page of its own offers."""
    links = (each.get("href") or "" for each in _all(html.fromstring(text), SUMMARY_LINKS))
    return [(page, field) for page, _, field in (link.partition("#") for link in links) if page]


def _said(document: HtmlElement) -> str:
    return " ".join(" ".join(main.text_content().split()) for main in _all(document, "//main"))[:160]


def _all(within: HtmlElement, path: str) -> list[HtmlElement]:
    return cast("list[HtmlElement]", within.xpath(path))


LONGEST_LINE = 60
"""So many characters at most say that there is nothing: a line on a computer, two on a telephone."""


def blanks_in(text: str) -> list[str]:
    """Return what a page leaves blank: tables and lists with nothing in them, and empty states that go on too long."""
    document = html.fromstring(text)
    blank = [
        f"an empty {each.tag} {each.get('class') or ''} {each.get('id') or ''}"
        for each in _all(document, "//tbody[not(*)] | //ul[not(*)] | //ol[not(*)] | //*[@class='items'][not(*)]")
    ]
    choices = [each.get("name") for each in _all(document, "//select[not(.//option)]")]
    blank += [f"nothing to choose in {name}" for name in choices]
    for state in _all(document, "//*[contains(concat(' ', @class, ' '), ' empty ')]"):
        line = " ".join(state.text_content().split())
        if len(line) > LONGEST_LINE or len(_all(state, ".//a | .//button")) > 1:
            blank.append(f"more than a line and one thing to do: {line}")
    return blank
