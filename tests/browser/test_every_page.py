"""Every page a person can reach by links, in a real browser: barriers, complaints, width, weight, in light and dark."""

import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from pagelab import ASK_AXE, Served
from playwright.sync_api import Browser, Page
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOGINS = ("county", "editor", "chief", "duty", "secretary")
"""Each page is looked at by the first of them who can reach it."""
LONG = os.environ.get("CUNXIANG_LONG", "") == "1"
VIEWS = [(1366, 768, "light"), (390, 844, "dark")]
if LONG:
    VIEWS += [(1366, 768, "dark"), (390, 844, "light")]
MOST_GZ = 80_000
EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LINK = re.compile(r'href="([^"#]+)')
TOKEN = re.compile(r'name="csrf[-_]token" (?:content|value)="([^"]+)"')
MOST_OF_ONE_KIND = 2 if LONG else 1


@dataclass(frozen=True)
class Stop:
    """One page on the walk."""

    login: str
    path: str
    endpoint: str


def signed_in(served: Served, login: str) -> requests.Session:
    person = requests.Session()
    token = TOKEN.search(person.get(f"{served.address}/sign-in", timeout=20).text)
    assert token
    form = {"login": login, "password": "cunxiang-demo", "csrf_token": token[1]}
    answer = person.post(f"{served.address}/sign-in", data=form, timeout=20)
    assert "/sign-in" not in answer.url, answer.text
    return person


def endpoint_of(urls: MapAdapter, path: str) -> str | None:
    try:
        endpoint, _ = urls.match(urlsplit(path).path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)


def walk(served: Served, urls: MapAdapter) -> Iterator[Stop]:
    """Follow every link from the overview, one or two pages of a kind."""
    seen: dict[str, set[str]] = {}
    for login in LOGINS:
        person, waiting, known = signed_in(served, login), ["/"], {"/"}
        while waiting:
            path = waiting.pop(0)
            endpoint = endpoint_of(urls, path)
            if endpoint is None or endpoint == "static" or len(seen.get(endpoint, ())) >= MOST_OF_ONE_KIND:
                continue
            answer = person.get(served.address + path, timeout=30)
            if not answer.headers.get("Content-Type", "").startswith("text/html"):
                continue
            assert answer.status_code < 500, f"{login} {path}"
            if answer.ok and "<html" in answer.text:
                seen.setdefault(endpoint, set()).add(path)
                yield Stop(login, path, endpoint)
            for link in LINK.findall(answer.text):
                target = urlsplit(urljoin(f"{served.address}{path}", link.replace("&amp;", "&")))
                there = target.path + (f"?{target.query}" if target.query else "")
                if target.netloc == urlsplit(served.address).netloc and there not in known:
                    known.add(there)
                    waiting.append(there)


@pytest.fixture(scope="module")
def stops(served: Served) -> list[Stop]:
    app = served.app
    return list(walk(served, app.url_map.bind("127.0.0.1")))


def look_at(page: Page, address: str, stop: Stop, axe: str, kinds: list[str]) -> list[str]:
    said: list[str] = []
    page.on("console", lambda m: said.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(f"script: {error}"))
    page.goto(address + stop.path)
    faults = list(said)
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        faults.append("scrolls sideways")
    page.evaluate(axe)
    faults += page.evaluate(ASK_AXE, kinds)
    return faults


@pytest.mark.parametrize(("width", "height", "scheme"), VIEWS)
def test_no_page_has_a_fault(
    served: Served, stops: list[Stop], browser: Browser, axe: str, width: int, height: int, scheme: str
) -> None:
    faults: dict[str, list[str]] = {}
    # What differs between the views is colour and room; all the rest is looked for once.
    kinds = EVERYTHING if LONG or scheme == "light" else ["color-contrast", "target-size"]
    for login in LOGINS:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale="zh-CN",
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        cookies = signed_in(served, login).cookies
        context.add_cookies([{"name": c.name, "value": c.value or "", "url": served.address} for c in cookies])
        for stop in (s for s in stops if s.login == login):
            page = context.new_page()
            found = look_at(page, served.address, stop, axe, kinds)
            page.close()
            if found:
                faults[f"{login} {stop.path}"] = found
        context.close()
    assert faults == {}, "\n".join(f"{where}\n   " + "\n   ".join(what) for where, what in faults.items())


def test_every_page_is_light_enough_for_a_bad_line(served: Served, stops: list[Stop]) -> None:
    heavy = {}
    for login in LOGINS:
        person = signed_in(served, login)
        static: dict[str, int] = {}
        for stop in (s for s in stops if s.login == login):
            text = person.get(served.address + stop.path, timeout=30).text
            total = len(gzip.compress(text.encode(), 5))
            for link in set(re.findall(r'(?:src|href)="(/static/[^"#]+)', text)):
                if link not in static:
                    static[link] = len(gzip.compress(person.get(served.address + link, timeout=30).content, 5))
                total += static[link]
            if total > MOST_GZ:
                heavy[stop.path] = total
    assert heavy == {}


def test_the_walk_reaches_what_the_menu_promises(stops: list[Stop]) -> None:
    reached = {stop.endpoint for stop in stops}
    assert len(reached) > 35, sorted(reached)


def test_a_planted_fault_is_found(browser: Browser, axe: str) -> None:
    page = browser.new_page()
    page.set_content(
        '<html lang="zh-CN"><title>x</title><main><h1>x</h1><input>'
        '<p style="color:#bbb">浅浅的字看不清楚</p></main></html>'
    )
    page.evaluate(axe)
    found = {fault.split(":")[0] for fault in page.evaluate(ASK_AXE, EVERYTHING)}
    page.close()
    assert {"label", "color-contrast"} <= found
