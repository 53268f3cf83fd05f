"""How long pages take: with 2,000 loudspeakers, and the first load in a browser that knows nothing yet.

The demo's county grown to 2,000 loudspeakers (a tenth of them offline), served by the hub's own server. Each page
is fetched 10 times by somebody who sees the whole county; then each is opened in the system's Chromium with an empty
cache, by the browser's own clock (to the load event). Beside it, in the same run, a bare Flask page.
Targets: 1 s each, and 100 kB packed for overview and loudspeakers.
Run: .venv/bin/python benchmarks/pages.py [speakers=2000] [rounds=10]
"""

import gzip
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
from flask import Flask
from playwright.sync_api import sync_playwright
from sqlalchemy import insert, select
from waitress.server import create_server

import cunxiang
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.demo import seeding
from hub.speakers.models import Speaker

TOKEN: Final = re.compile(r'name="csrf[-_]token" (?:content|value)="([^"]+)"')
PATHS: Final = (
    "/",
    "/speakers",
    "/speakers/map",
    "/speakers/patrol",
    "/speakers/alarms",
    "/broadcasts",
    "/compose",
    "/residents",
    "/timetable",
    "/coverage",
)
TARGET_S: Final = 1.0
MOST_GZ: Final = {"/": 100_000, "/speakers": 100_000}


def grown(runtime: Runtime, wanted: int) -> None:
    """Add loudspeakers, spread over the villages as the demo's are."""
    with runtime.sessions.begin() as session:
        known = session.execute(select(Speaker.__table__)).mappings().all()
        kept = [row for row in known if not row["drill"]]
        rows = []
        for n in range(wanted - len(kept)):
            row = dict(kept[n % len(kept)])
            row |= {"id": f"more-{n}", "number": 100_000 + n, "name": f"杆{n}", "online": n % 10 != 0}
            rows.append(row)
        session.execute(insert(Speaker), rows)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Answer on loopback, as `cunxiang run` does."""
    server: Any = create_server(app, host="127.0.0.1", port=0, threads=16, connection_limit=1000)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


def signed_in(address: str) -> requests.Session:
    """Somebody of the county with all the pages of who writes."""
    person = requests.Session()
    token = TOKEN.search(person.get(f"{address}/sign-in", timeout=30).text)
    form = {"login": "editor", "password": "cunxiang-demo", "csrf_token": token[1] if token else ""}
    person.post(f"{address}/sign-in", data=form, timeout=30)
    return person


def fetched(person: requests.Session, url: str, rounds: int) -> tuple[float, float, int]:
    """Return median and slowest in seconds, and the packed size; one round before them counts for nothing."""
    taken = []
    for _ in range(rounds + 1):
        begun = time.monotonic()
        answer = person.get(url, timeout=30)
        taken.append(time.monotonic() - begun)
        answer.raise_for_status()
    return statistics.median(taken[1:]), max(taken[1:]), len(gzip.compress(answer.content, 5))


def first_loads(person: requests.Session, address: str) -> dict[str, float]:
    """Each page in a window of its own, to the load event, in seconds."""
    found = {}
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--lang=zh-CN"])
        for path in PATHS:
            context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
            context.add_cookies([{"name": c.name, "value": c.value or "", "url": address} for c in person.cookies])
            page = context.new_page()
            page.goto(address + path)
            timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
            page.wait_for_function(f"{timing} > 0")
            found[path] = float(page.evaluate(timing)) / 1000
            context.close()
        browser.close()
    return found


def a_county(folder: Path, speakers: int) -> tuple[Runtime, Any]:
    """The demo's county, grown."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"mode": "demo", "data_dir": folder / "var", "port": 0},
        "speech": {"engines": ("tone",)},
        "broadcast": {"quiet_hours": ()},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=utc_now)
    app = build(runtime, cunxiang.FEATURES)
    seeding.seed(runtime, lambda *_: None)
    for feature in cunxiang.FEATURES:
        feature.seed_demo(runtime)
    grown(runtime, speakers)
    return runtime, app


def main(given: dict[str, str]) -> int:
    """Fetch and open every page; return 1 when one is too slow or too heavy."""
    rounds, missed = int(given.get("rounds", "10")), False
    bare = Flask("bare")
    bare.add_url_rule("/", view_func=lambda: "x" * 20_000)
    with tempfile.TemporaryDirectory() as folder:
        runtime, app = a_county(Path(folder), int(given.get("speakers", "2000")))
        with serving(bare) as plain, serving(app) as address:
            runtime.port = int(address.rpartition(":")[2])
            peer, _, _ = fetched(requests.Session(), f"{plain}/", rounds)
            print(f"a bare page: {1000 * peer:.1f} ms")
            person = signed_in(address)
            took = {path: fetched(person, address + path, rounds) for path in PATHS}
            loads = first_loads(person, address)
            for path, (middle, slowest, packed) in took.items():
                print(
                    f"{path}: {1000 * middle:.0f} ms, slowest {1000 * slowest:.0f} ms, {packed / 1000:.1f} kB packed, "
                    f"{middle / peer:.0f} times the bare page; first load {loads[path]:.2f} s"
                )
                missed |= max(slowest, loads[path]) > TARGET_S or packed > MOST_GZ.get(path, packed)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main(dict(word.split("=", 1) for word in sys.argv[1:])))
