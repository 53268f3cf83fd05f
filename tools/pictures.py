"""Take the pictures of the documentation and of the staff manual from a running demo.

Run: scripts/demo (in another terminal), then .venv/bin/python tools/pictures.py http://127.0.0.1:8600
With a folder behind the address everything goes there instead.
"""

import base64
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES, MANUAL = DOCS / "pictures", DOCS / "手册" / "图"
DESKTOP, PHONE, HALL = (1366, 768), (390, 844), (1920, 1080)
QUALITY = 62
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=zh-CN",
]
PASSWORD = "cunxiang-demo"  # noqa: S105 - the demo's, known to everybody
SHOTS = (
    ("overview", "clerk", "/"),
    ("compose", "clerk", "/compose"),
    ("approvals", "approver", "/approvals"),
    ("timetable", "clerk", "/timetable"),
    ("broadcasts", "clerk", "/broadcasts"),
    ("emergency", "duty", "/emergency?hazard=flash_flood&colour=red"),
    ("speakers", "clerk", "/speakers"),
    ("speaker-map", "clerk", "/speakers/map"),
    ("joining", "county", "/speakers/joining"),
    ("shout", "secretary", "/shout"),
    ("library", "clerk", "/materials"),
    ("voices", "county", "/settings/voices"),
    ("readings", "county", "/settings/lexicon"),
    ("residents", "clerk", "/residents"),
    ("sms", "clerk", "/sms"),
    ("phones", "clerk", "/sms/phones"),
    ("drill", "duty", "/drill?hazard=flash_flood&colour=red"),
    ("practice", "duty", "/practice"),
    ("coverage", "county", "/coverage"),
    ("first-run", "county", "/first-run"),
    ("accounts", "county", "/accounts"),
)
ONLY_IN_THE_MANUAL = frozenset({"drill", "practice", "coverage", "first-run", "accounts"})
IN_THE_MANUAL = ONLY_IN_THE_MANUAL | {
    "overview",
    "compose",
    "timetable",
    "broadcasts",
    "speakers",
    "residents",
    "approvals",
    "emergency",
}


@dataclass(frozen=True)
class Camera:
    """A browser before a demo, and where its pictures go."""

    browser: Browser
    address: str
    pictures: Path
    manual: Path

    def person(self, login: str, size: tuple[int, int]) -> Page:
        """Return a page of that person."""
        page = self.browser.new_page(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
        page.goto(f"{self.address}/sign-in")
        page.fill("#f-login", login)
        page.fill("#f-password", PASSWORD)
        page.press("#f-password", "Enter")
        page.wait_for_url(f"{self.address}/")
        return page

    def pages(self) -> None:
        """Take every page in both sizes; the manual shows some of them as a computer does, one as a phone does."""
        for name, login, path in SHOTS:
            for kind, size in (("desktop", DESKTOP), ("phone", PHONE)):
                page = self.person(login, size)
                page.goto(self.address + path)
                page.wait_for_timeout(600)
                picture = taken(page)
                page.close()
                if name not in ONLY_IN_THE_MANUAL:
                    (self.pictures / f"{name}-{kind}.webp").write_bytes(picture)
                if name in IN_THE_MANUAL and kind == "desktop":
                    (self.manual / f"{name}.webp").write_bytes(picture)
                if (name, kind) == ("shout", "phone"):
                    (self.manual / "shout-phone.webp").write_bytes(picture)

    def wall(self) -> None:
        """Let a screen in, and take what it shows."""
        screen = self.browser.new_page(viewport={"width": HALL[0], "height": HALL[1]}, locale="zh-CN")
        screen.goto(f"{self.address}/wall")
        code = screen.text_content(".big-number b") or ""
        county = self.person("county", DESKTOP)
        county.goto(f"{self.address}/settings/walls")
        county.fill("#f-code", code)
        county.fill("#f-name", "大厅")
        county.press("#f-name", "Enter")
        county.wait_for_load_state()
        county.close()
        screen.goto(f"{self.address}/wall")
        screen.wait_for_timeout(600)
        for folder in (self.pictures, self.manual):
            (folder / "wall.webp").write_bytes(taken(screen))
        screen.close()


def taken(page: Page) -> bytes:
    """Return what is seen as WebP: a tenth of a PNG, and every browser we serve shows it."""
    session = page.context.new_cdp_session(page)
    answer = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(answer["data"])


def main() -> None:
    """Take every picture."""
    address = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8600"
    own = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    pictures, manual = (own, own / "manual") if own else (PICTURES, MANUAL)
    pictures.mkdir(parents=True, exist_ok=True)
    manual.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        camera = Camera(browser, address, pictures, manual)
        camera.pages()
        camera.wall()
        browser.close()


if __name__ == "__main__":
    main()
