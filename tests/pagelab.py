"""What browser tests share: where Chromium is, how it is started, and the hub it looks at."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from flask_openapi3.openapi import OpenAPI
from formlab import Form
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as BrowserError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect

from hub.core.runtime import Runtime
from hub.web.ending import Ending
from hub.web.port import Port

LONG = os.environ.get("CUNXIANG_LONG", "") == "1"

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OLD_CHROMIUMS = {"109": "old-browser", "92": "old-browser-92", "88": "old-browser-88"}
"""Where scripts/old-browser unpacks them."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=zh-CN",
)
LOGINS = ("editor", "county", "chief", "duty", "secretary")
"""Each page is looked at by the first of them who can reach it."""
LIVED_ON = {
    "alerts.desk",
    "announcements.approvals",
    "announcements.compose",
    "delivery.overview",
    "delivery.every",
    "drills.desk",
    "inbox.every",
    "residents.every",
    "shell.settings",
    "shift.mine",
    "shout.desk",
    "speakers.every",
    "timetable.week",
}
"""What people have open all day."""
PARTING = {
    "campaigns.every",
    "announcements.written",
    "own.account",
    "practice.mine",
    "reports.coverage",
    "sheets.every",
    "shell.settings",
}
"""Pages whose links differ from one person to the next."""
NO_PAGES = {"static", "openapi.document"}
LINK = re.compile(r'href="([^"#]+)')
TOKEN = re.compile(r'name="csrf[-_]token" (?:content|value)="([^"]+)"')
Scheme = Literal["light", "dark"]
EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ASK_ROOM = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > window.innerWidth) found.push("scrolls sideways");
  const main = document.querySelector("main");
  if (main && main.offsetHeight < 20) found.push("shows nothing");
  const moving = document.getAnimations().filter(a => a.effect && a.effect.getComputedTiming().activeDuration > 50);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches && moving.length)
    found.push("moves: " + moving.map(a => a.animationName || a.transitionProperty).join(" "));
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim(), around = texts.currentNode.parentNode;
    if (text.length < 6) continue;
    range.selectNodeContents(texts.currentNode);
    const room = range.getBoundingClientRect();
    if (room.width < 1 || room.right < 0 || room.height < 50) continue;
    const type = parseFloat(getComputedStyle(around).fontSize), folded = "details:not([open]) > :not(summary)";
    if (room.width < 2.2 * type && room.height > 4 * type && !around.closest(folded))
      found.push("squeezed: " + text.slice(0, 40));
  }
  return found;
}"""
ASK_AXE = """async kinds => {
  const found = await axe.run(document, {runOnly: kinds, resultTypes: ["violations"]});
  const place = node => node.target.join(" ") + " " + (node.failureSummary || "").split("\\n")[1];
  return found.violations.map(v => v.id + ": " + v.nodes.slice(0, 3).map(place).join(" | "));
}"""


SEND = """([number, texts, files]) => {
  const form = document.forms[number], sent = document.createElement("form");
  sent.method = "post"; sent.action = form.action; sent.enctype = form.enctype;
  const add = (name, kind) => {
    const box = document.createElement("input");
    box.type = kind; box.name = name;
    return sent.appendChild(box);
  };
  for (const [name, value] of texts) add(name, "hidden").value = value;
  for (const [name, file] of files) {
    const held = new DataTransfer();
    if (file) held.items.add(new File(["\\u0000nonsense"], file));
    add(name, "file").files = held.files;
  }
  document.body.appendChild(sent);
  HTMLFormElement.prototype.submit.call(sent);
}"""
"""Sends a form with these contents, past everything that would keep a person from sending it so."""


@dataclass(frozen=True)
class Served:
    """A hub that answers browsers: its address, its application, and what is behind it."""

    address: str
    app: OpenAPI
    runtime: Runtime
    password: str = "cunxiang-demo"


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """The system's Chromium without a window, with `more` arguments; skips with the reason where there is none."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
        yield browser
        browser.close()


def _unpacked(version: str) -> Path:
    return Path(__file__).resolve().parents[1] / ".venv" / OLD_CHROMIUMS[version] / "chromium"


def there_is(version: str) -> bool:
    """Whether that old Chromium was brought."""
    return _unpacked(version).exists()


@contextmanager
def old_chromium(version: str, today: Browser) -> Iterator[Browser]:
    """An old Chromium, driven by what drives today's. Before 109 it can be led to pages and asked, no more."""
    if not there_is(version):
        pytest.skip(f"no Chromium {version} (scripts/old-browser {version} brings it by npm)")
    browser = today.browser_type.launch(executable_path=_unpacked(version), args=[*ARGUMENTS, "--no-zygote"])
    assert browser.version.startswith(f"{version}.")
    yield browser
    browser.close()


def enter(page: Page, address: str, login: str, password: str) -> None:
    """Sign in as a person does, up to the overview."""
    page.goto(f"{address}/sign-in")
    page.fill("#f-login", login)
    page.fill("#f-password", password)
    page.press("#f-password", "Enter")
    page.wait_for_url(f"{address}/")


def leave(context: BrowserContext) -> None:
    """Close a window whose pages go on loading themselves anew.

    Chromium may never finish closing a page that is just being replaced; so each goes to an empty one first, again
    where the page's own next load came in between.
    """
    for page in context.pages:
        for _ in range(5):
            with suppress(BrowserError):
                page.goto("about:blank")
                break
    context.close()


@contextmanager
def serving(app: OpenAPI, runtime: Runtime, password: str) -> Iterator[Served]:
    """Answer browsers until the block ends; nothing is sent anywhere."""
    port = Port(app, runtime.settings.model_copy(update={"host": "127.0.0.1", "port": 0, "threads": 4}), Ending())
    runtime.port = port.number
    threading.Thread(target=port.serve, daemon=True).start()
    yield Served(f"http://127.0.0.1:{port.number}", app, runtime, password)
    port.close(5)
    runtime.sessions.engine.dispose()


@dataclass(frozen=True)
class Stop:
    """One page on the walk."""

    login: str
    path: str
    endpoint: str
    text: str


@dataclass(frozen=True)
class View:
    """How somebody looks at it."""

    width: int
    height: int
    scheme: Scheme


DESKTOP, PHONE = View(1366, 768, "light"), View(390, 844, "dark")
OTHERS = (View(1366, 768, "dark"), View(390, 844, "light"))


def signed_in(served: Served, login: str) -> requests.Session:
    """Sign in without a browser."""
    person = requests.Session()
    token = TOKEN.search(person.get(f"{served.address}/sign-in", timeout=20).text)
    assert token
    form = {"login": login, "password": served.password, "csrf_token": token[1]}
    answer = person.post(f"{served.address}/sign-in", data=form, timeout=20)
    assert "/sign-in" not in answer.url, answer.text
    return person


def tell(faults: dict[str, list[str]]) -> str:
    """Write down what is wrong where, for people."""
    return "\n".join(f"{where}\n   " + "\n   ".join(what) for where, what in faults.items())


def endpoint_of(urls: MapAdapter, path: str, method: str = "GET") -> str | None:
    """Which page answers there."""
    try:
        endpoint, _ = urls.match(urlsplit(path).path, method=method)
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)


@dataclass
class Walk:
    """Follow every link from each person's overview.

    Quick: a page of each kind, by the first person who comes to it. Thorough: two of each kind, by everybody's own way,
    and what people live on as each of them sees it.
    """

    served: Served
    thorough: bool = LONG
    logins: tuple[str, ...] = LOGINS
    seen: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Stop]:
        """Walk for one person after the other."""
        for login in self.logins:
            yield from self._walk(login)

    def _walk(self, login: str) -> Iterator[Stop]:
        urls = self.served.app.url_map.bind("127.0.0.1")
        person, waiting, known = signed_in(self.served, login), ["/"], {"/"}
        own: dict[str, int] = {}
        while waiting:
            path = waiting.pop(0)
            endpoint = endpoint_of(urls, path)
            if endpoint is None or not self._worth(endpoint, path, own):
                continue
            answer = person.get(self.served.address + path, timeout=30)
            assert answer.status_code < 500, f"{login} {path}"
            if not answer.ok or "<html" not in answer.text[:200]:
                continue
            own[endpoint] = own.get(endpoint, 0) + 1
            if self._new(endpoint, own):
                self.seen[endpoint] = self.seen.get(endpoint, 0) + 1
                yield Stop(login, path, endpoint, answer.text)
            waiting += [there for there in self._links(path, answer.text) if there not in known]
            known.update(waiting)

    def _worth(self, endpoint: str, path: str, own: dict[str, int]) -> bool:
        if endpoint in NO_PAGES:
            return False
        if self.thorough:
            return own.get(endpoint, 0) < 2
        return path == "/" or endpoint not in self.seen or (endpoint in PARTING and endpoint not in own)

    def _new(self, endpoint: str, own: dict[str, int]) -> bool:
        if not self.thorough:
            return endpoint not in self.seen
        return self.seen.get(endpoint, 0) < 2 or (endpoint in LIVED_ON and own[endpoint] == 1)

    def _links(self, path: str, text: str) -> Iterator[str]:
        for link in LINK.findall(text):
            target = urlsplit(urljoin(f"{self.served.address}{path}", link.replace("&amp;", "&")))
            if target.netloc == urlsplit(self.served.address).netloc:
                yield target.path + (f"?{target.query}" if target.query else "")


def is_complaint(kind: str, text: str) -> bool:
    """Whether the browser complains.

    Of nonsense in a day's or a number's field it says that nobody could type it; and before 108 it passes over what
    keeps the bar above a telephone's keyboard.
    """
    return kind in ("error", "warning") and not text.startswith(
        ("The specified value ", 'The key "interactive-widget" is not recognized')
    )


class Looker:
    """One window, seen through by one person after the other in one view or another, and what it complains about."""

    def __init__(self, browser: Browser, served: Served, login: str, view: View) -> None:
        self.served, self.login, self.view = served, "", view
        self.said: list[str] = []
        self._people: dict[str, requests.Session] = {}
        self._context = browser.new_context(
            viewport={"width": view.width, "height": view.height},
            locale="zh-CN",
            color_scheme=view.scheme,
            reduced_motion="reduce",
        )
        self.page = self._new_page()
        self.turn(login, view)

    def turn(self, login: str, view: View) -> None:
        """Let that person look, in that view; what the browser has fetched is kept."""
        if login != self.login:
            self.page.goto("about:blank")  # a page that asks again would ask as somebody else
            self._context.clear_cookies()
            if login not in self._people:
                self._people[login] = signed_in(self.served, login)
            cookies = [(cookie.name, cookie.value or "") for cookie in self._people[login].cookies]
            self._context.add_cookies([{"name": n, "value": v, "url": self.served.address} for n, v in cookies])
        if view != self.view:
            self.page.set_viewport_size({"width": view.width, "height": view.height})
            self.page.emulate_media(color_scheme=view.scheme, reduced_motion="reduce")
        self.login, self.view = login, view

    def _new_page(self) -> Page:
        page = self._context.new_page()
        page.on("console", lambda m: self.said.append(f"console: {m.text}") if is_complaint(m.type, m.text) else None)
        page.on("pageerror", lambda error: self.said.append(f"script: {error}"))
        return page

    def faults(self, path: str, axe: str = "", kinds: list[str] = EVERYTHING) -> list[str]:
        """Go there and return what is wrong; `axe`: the program that looks for barriers, if it shall look."""
        self.said.clear()
        self.page.goto(self.served.address + path)
        return self.faults_here(axe, kinds)

    def sent(self, wanted: Form, *, wrongly: bool) -> int:
        """Open the page of a form, send it with nothing or nonsense in it, and return the status of the answer.

        What is hidden in it is what this window was given. 0: something sent before has used it up.
        """
        self.page.goto(self.served.address + wanted.page)
        if "/sign-in" in self.page.url:  # what was sent before has signed them out
            del self._people[self.login]
            login, self.login = self.login, ""
            self.turn(login, self.view)
            self.page.goto(self.served.address + wanted.page)
        form = wanted.now_on(self.page.content())
        if form is None:
            return 0
        parts = form.filled(wrongly=wrongly)
        texts = [[name, value] for name, (file, value, _) in parts if file is None]
        files = [[name, file] for name, (file, _, _) in parts if file is not None]
        self.said.clear()
        with self.page.expect_navigation() as gone:
            self.page.evaluate(SEND, [form.number, texts, files])
        status = gone.value.status
        # The browser notes a refusal down as a failure of its own; the page tells it in words.
        self.said = [text for text in self.said if f"status of {status} " not in text]
        return status

    def faults_here(self, axe: str, kinds: list[str] = EVERYTHING) -> list[str]:
        """Return what is wrong with the page that is open."""
        faults = cast("list[str]", self.page.evaluate(ASK_ROOM))
        if axe:
            self.page.evaluate(axe)
            faults += self.page.evaluate(ASK_AXE, kinds)
        return [*self.said, *faults]

    def close(self) -> None:
        """Close the window."""
        leave(self._context)
