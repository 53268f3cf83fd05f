"""Every form a person can fill in, sent with nothing and with nonsense in it: a refusal says so and leads to the fault.

The usual run sends some of what the demo's people find by links, without a browser, and looks at a few answers in one.
CUNXIANG_LONG=1 sends all there are from a browser's window, on a computer and on a telephone, and looks for barriers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
import requests
from formlab import Form, faults_of, forms_on, send, ways_back
from pagelab import DESKTOP, LONG, PHONE, Looker, Served, Walk, endpoint_of, signed_in, tell
from playwright.sync_api import Browser
from strangerlab import addresses

pytestmark = [pytest.mark.browser, pytest.mark.slow]
THOROUGH = "CUNXIANG_LONG=1 sends every form from a browser"
SEEN_DAILY = ("/residents/new", "/compose", "/account", "/emergency")
"""Pages whose refused forms are looked at in a browser every time."""
LEAST_FORMS = 100
"""So often forms are sent at least when all are."""
ONE_OF = 5
"""The usual run sends one form of so many."""
Where = Iterable[tuple[str, str, str]]
"""Login, address and text of pages."""


@dataclass(frozen=True, slots=True)
class Found:
    """A form and who can send it."""

    login: str
    form: Form
    to: str


def by_links(hub: Served) -> Where:
    return ((stop.login, stop.path, stop.text) for stop in Walk(hub, thorough=False))


def by_addresses(hub: Served) -> Where:
    person = signed_in(hub, "all")
    for rule, address in addresses(hub.app, hub.runtime):
        if "GET" in (rule.methods or ()) and not address.startswith("/api/"):
            answer = person.get(hub.address + address, timeout=30)
            if answer.ok and "<html" in answer.text[:200]:
                yield "all", address, answer.text


def found_in(hub: Served, pages: Where) -> Iterator[Found]:
    """Every form once: the same fields to the same place are the same form."""
    urls, known = hub.app.url_map.bind("127.0.0.1"), set()
    for login, path, text in list(pages):
        for form in forms_on(path, text):
            to = endpoint_of(urls, form.action, "POST")
            assert to, f"{path} sends to {form.action}, where nothing is"
            if (to, form.typed) not in known:
                known.add((to, form.typed))
                yield Found(login, form, to)


class People:
    """Everybody signed in once, and again where what was sent has signed them out."""

    def __init__(self, hub: Served) -> None:
        self.hub = hub
        self._known: dict[str, requests.Session] = {}

    def open(self, found: Found) -> tuple[requests.Session, Form | None]:
        """Open the page anew and return the form as it is now; none where an earlier one has used it up."""
        for _ in range(2):
            if found.login not in self._known:
                self._known[found.login] = signed_in(self.hub, found.login)
            person = self._known[found.login]
            answer = person.get(self.hub.address + found.form.page, timeout=30)
            if "/sign-in" not in answer.url:
                break
            del self._known[found.login]
        is_page = answer.ok and "<html" in answer.text[:200]
        return person, found.form.now_on(answer.text) if is_page else None


def lost_ways(person: requests.Session, hub: Served, text: str) -> list[str]:
    lost = []
    for page, field in ways_back(text):
        answer = person.get(hub.address + page, timeout=30)
        if not answer.ok or (field and f'id="{field}"' not in answer.text):
            lost.append(f"leads back to {page}#{field}, which is not there")
    return lost


@pytest.fixture(scope="module")
def found_by_links(worn: Served) -> list[Found]:
    return list(found_in(worn, by_links(worn)))


def test_a_refused_form_says_so_and_leads_to_what_is_wrong(worn: Served, found_by_links: list[Found]) -> None:
    people, faults, sent = People(worn), {}, 0
    for found in found_by_links[:: 1 if LONG else ONE_OF]:
        for wrongly in (False, True):
            person, form = people.open(found)
            if form is None:
                break
            answer = send(person, worn.address, form, wrongly=wrongly)
            sent += 1
            wrong = faults_of(answer.status_code, answer.text)
            wrong += lost_ways(person, worn, answer.text) if answer.status_code >= 400 else []
            if wrong:
                faults[f"{found.login} {form.page} -> {found.to} {'nonsense' if wrongly else 'nothing'}"] = wrong
    assert faults == {}, tell(faults)
    assert sent > (LEAST_FORMS if LONG else LEAST_FORMS / ONE_OF)


def in_windows(hub: Served, browser: Browser, axe: str, all_found: Iterable[Found]) -> tuple[dict[str, list[str]], int]:
    """Send every form from a window and look at what comes back; return what is wrong, and how many came back."""
    faults, looked = {}, 0
    window = Looker(browser, hub, "", DESKTOP)
    for found in all_found:
        for wrongly, view in ((False, DESKTOP), (True, PHONE)):
            window.turn(found.login, view)
            status = window.sent(found.form, wrongly=wrongly)
            if not status:
                break
            looked += 1
            if wrong := window.faults_here(axe) + faults_of(status, window.page.content()):
                faults[f"{found.login} {found.form.page} -> {found.to} {'nonsense' if wrongly else 'nothing'}"] = wrong
    window.close()
    return faults, looked


@pytest.mark.skipif(LONG, reason="the long form looks at every form")
def test_what_a_refused_form_looks_like(worn: Served, found_by_links: list[Found], browser: Browser, axe: str) -> None:
    few = [found for found in found_by_links if found.form.page in SEEN_DAILY]
    faults, looked = in_windows(worn, browser, axe, few)
    assert faults == {}, tell(faults)
    assert looked >= len(SEEN_DAILY)


@pytest.mark.skipif(not LONG, reason=THOROUGH)
def test_what_every_refused_form_looks_like(
    worn: Served, found_by_links: list[Found], browser: Browser, axe: str
) -> None:
    faults, looked = in_windows(worn, browser, axe, found_by_links)
    assert faults == {}, tell(faults)
    assert looked > LEAST_FORMS


@pytest.mark.skipif(not LONG, reason=THOROUGH)
def test_what_every_refused_form_looks_like_with_something_behind_it(full: Served, browser: Browser, axe: str) -> None:
    faults, looked = in_windows(full, browser, axe, list(found_in(full, by_addresses(full))))
    assert faults == {}, tell(faults)
    assert looked > LEAST_FORMS
