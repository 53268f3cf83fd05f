"""How long a slow typist needs, by the keystroke model: an emergency from the overview, a template to its time.

The real pages of a demo in the system's Chromium, at both sizes. Each act of the hand is counted as an operator of the
model while the browser does it: K a key (0.5 s), P pointing (1.1 s), B a press (0.2 s), H a hand between mouse and
keyboard (0.4 s), M making up one's mind (1.35 s). What hub and browser take to answer is measured and added, and so is
the countdown of an emergency, to the moment the page says that it has gone out.
Targets: emergency 15 s at both sizes, template and schedule 60 s.
Run: .venv/bin/python benchmarks/tasks.py [rounds=3] [voice=quick]   (voice=neural: the neural voice, if it is here)
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
SECONDS: Final = {"K": 0.5, "P": 1.1, "B": 0.2, "H": 0.4, "M": 1.35}
SIZES: Final = {"desktop": (1366, 768), "phone": (390, 844)}
TARGETS: Final = {"emergency": 15.0, "announcement": 60.0}
PATIENCE_S: Final = 90.0


@dataclass
class Person:
    """A slow typist before a page, and what their hands and the machine have taken so far."""

    page: Page
    phone: bool
    acts: str = ""
    answers_s: float = 0.0
    _on_keys: bool = field(default=False)

    @property
    def total_s(self) -> float:
        return sum(SECONDS[act] for act in self.acts) + self.answers_s

    def press(self, what: Locator, then: str) -> None:
        """Make up one's mind, point and press; wait until `then` is there."""
        if self._on_keys and not self.phone:
            self.acts += "H"
        self._on_keys = False
        self.acts += "MPB"
        self._answered(what.click, then)

    def type_into(self, what: Locator, text: str) -> None:
        """Read what to type, point at the field unless it has the focus, and type."""
        self.acts += "M"
        if not what.evaluate("e => e === document.activeElement"):
            self.acts += "PB"
            what.click()
        if not self.phone:
            self.acts += "H"
        self._on_keys = True
        self.acts += "K" * len(text)
        self.page.keyboard.type(text)

    def enter(self, then: str) -> None:
        """Press Enter; on a phone the key at the corner of its keyboard."""
        self.acts += "K"
        self._answered(lambda: self.page.keyboard.press("Enter"), then)

    def wait(self, then: str) -> None:
        self._answered(lambda: None, then)

    def _answered(self, act: Callable[[], object], then: str) -> None:
        begun = time.monotonic()
        act()
        self.page.wait_for_selector(then)
        self.answers_s += time.monotonic() - begun


def emergency(person: Person) -> None:
    """From the overview: the red flood of the duty officer's own township."""
    page = person.page
    person.press(page.locator("a.side-emergency:visible, a.tab-emergency:visible").first, "button:has-text('山洪')")
    person.press(page.locator("button:has-text('山洪')").first, "input[data-expect]")
    number = page.locator("input[data-expect]").first
    person.type_into(number, number.get_attribute("data-expect") or "")
    person.enter(".cover")
    person.wait("#stop")


def announcement(person: Person) -> None:
    """From the overview: against fraud, to the whole township, at the first free time of the chips."""
    page = person.page
    bar = "nav.tabs a:has-text('发广播')" if person.phone else "a.side-compose"
    person.press(page.locator(bar), "#compose")
    person.press(page.locator("#compose button[name=ready]:has-text('防诈骗')").first, "#compose textarea:not(:empty)")
    person.press(page.locator("input[name=region]:visible").first, "#outlook, .sentence")
    person.press(page.locator("label:visible", has_text=re.compile("^定时$")), "[data-fill]:visible")
    person.press(page.locator("[data-fill]:visible").first, ".sentence")
    person.press(page.locator("button:visible", has_text="提交审批").first, "main:has-text('等'):not(:has(#compose))")


@contextmanager
def demo(folder: Path, voice: str) -> Iterator[str]:
    """A demo in a process of its own, all its loudspeakers there."""
    log = folder / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "cunxiang", "demo", "--port", "0", "--data-dir", str(folder / "data")]
        weights = {} if voice == "neural" else {"CUNXIANG_SPEECH_WEIGHTS_DIR": str(folder / "no-voices")}
        process = subprocess.Popen(command, env={**os.environ, **weights}, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := ADDRESS.search(log.read_text(encoding="utf-8", errors="replace"))):
            if time.monotonic() > deadline:
                raise SystemExit("no demo")
            time.sleep(0.1)
        time.sleep(10)
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)


def at_the_overview(browser: Browser, address: str, login: str, size: tuple[int, int]) -> Page:
    """A window of their own, signed in before the clock begins."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(f"{address}/sign-in")
    page.fill("#f-login", login)
    page.fill("#f-password", "cunxiang-demo")
    page.press("#f-password", "Enter")
    page.wait_for_selector("#on-air")
    return page


def main(given: dict[str, str]) -> int:
    """Do every task some times; return 1 when one takes too long."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    too_long = False
    voice = given.get("voice", "quick")
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder), voice) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--lang=zh-CN"])
        for task, login in ((emergency, "duty"), (announcement, "clerk")):
            for name, size in SIZES.items():
                found = []
                for _ in range(int(given.get("rounds", "3"))):
                    page = at_the_overview(browser, address, login, size)
                    person = Person(page, phone=name == "phone")
                    task(person)
                    if task is emergency:
                        page.click("#stop")
                    page.context.close()
                    found.append(person)
                found.sort(key=lambda one: one.total_s)
                middle, slowest = found[len(found) // 2], found[-1]
                kinds = " ".join(f"{middle.acts.count(act)} {act}" for act in SECONDS if act in middle.acts)
                hands = middle.total_s - middle.answers_s
                answers = statistics.median(one.answers_s for one in found)
                print(
                    f"{task.__name__}, {name}: {middle.total_s:.1f} s (slowest {slowest.total_s:.1f}, target "
                    f"{TARGETS[task.__name__]:.0f}): {kinds} = {hands:.1f} s, answers {answers:.1f} s"
                )
                too_long |= slowest.total_s > TARGETS[task.__name__]
        browser.close()
    return int(too_long)


if __name__ == "__main__":
    raise SystemExit(main(dict(word.split("=", 1) for word in sys.argv[1:])))
