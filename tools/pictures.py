"""Take the documentation's screenshots from a running demo.

Run: scripts/demo (in another terminal), then .venv/bin/python tools/pictures.py http://127.0.0.1:8600
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
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
    ("emergency", "duty", "/emergency"),
    ("speakers", "clerk", "/speakers"),
    ("speaker-map", "clerk", "/speakers/map"),
    ("joining", "county", "/speakers/joining"),
    ("shout", "clerk", "/shout"),
    ("library", "clerk", "/materials"),
    ("voices", "county", "/settings/voices"),
    ("readings", "county", "/settings/lexicon"),
    ("residents", "clerk", "/residents"),
    ("sms", "clerk", "/sms"),
    ("phones", "clerk", "/sms/phones"),
)


def signed_in(browser: Browser, address: str, login: str, size: dict[str, int]) -> Page:
    """Return a page of that person."""
    page = browser.new_page(viewport=size, locale="zh-CN")  # type: ignore[arg-type]
    page.goto(f"{address}/sign-in")
    page.fill("#f-login", login)
    page.fill("#f-password", PASSWORD)
    page.press("#f-password", "Enter")
    page.wait_for_url(f"{address}/")
    return page


def main() -> None:
    """Take every picture in both sizes."""
    address = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8600"
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for name, login, path in SHOTS:
            for kind, size in (("desktop", DESKTOP), ("phone", PHONE)):
                page = signed_in(browser, address, login, size)
                page.goto(address + path)
                page.wait_for_timeout(600)
                page.screenshot(path=folder / f"{name}-{kind}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
