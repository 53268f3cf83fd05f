"""`cunxiang run` on PostgreSQL whose cables are cut, and mended, without a word to either end; run by test_outages.

Argument: an empty folder. Run it in a network namespace of its own. Says as JSON what was seen.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from livehub import until
from outagelab import bad, health, hub_and_horn
from postgres import a_server, new_database
from roleslab import HORNS, Place, release
from sqlalchemy import make_url

from hub.core.clock import utc_now
from hub.speakers.settings import MqttSettings

TABLE = "inet cut"


def nft(*words: str) -> None:
    subprocess.run(["nft", *words], check=True, capture_output=True, text=True)


def cut(port: int) -> None:
    """From now on every packet to and from that port vanishes."""
    nft("add", "table", *TABLE.split())
    nft("add", "chain", *TABLE.split(), "in", "{ type filter hook input priority 0; }")
    for end in ("dport", "sport"):
        nft("add", "rule", *TABLE.split(), "in", "tcp", end, str(port), "drop")


def mend() -> None:
    nft("delete", "table", *TABLE.split())


def after(condition: Callable[[], object], within_s: float, what: str) -> float:
    """Wait for it; return the seconds."""
    begin = time.monotonic()
    until(condition, within_s, what=what)
    return round(time.monotonic() - begin, 1)


def database_cut(place: Place, port: int, seen: dict[str, Any]) -> None:
    """Something is planned for a moment at which nobody reaches the database."""
    due = utc_now() + timedelta(seconds=8)
    release(place.call, title="定时的", when="once", at=round(due.timestamp() * 1000))
    cut(port)
    seen["503 after"] = after(lambda: health(place) == 503, 30, "a page that says so")
    time.sleep(max(0.0, (due - utc_now()).total_seconds() + 2))
    seen["sounded while cut"] = len(place.sounded())
    mend()
    seen["200 after"] = after(lambda: health(place) == 200, 60, "the database")
    seen["heard after"] = after(lambda: len(place.sounded()) == 2, 60, "what was planned")


def broker_cut(place: Place, port: int, seen: dict[str, Any]) -> None:
    """Something is approved while nobody reaches the broker."""
    cut(port)
    seen["broker missed after"] = after(lambda: "check_broker_away" in bad(place), 60, "an alarm")
    release(place.call, title="线断时批的", text="线断的时候批下来的。")
    time.sleep(2)
    seen["sounded while cut off"] = len(place.sounded())
    mend()
    seen["broker back after"] = after(lambda: "check_broker_away" not in bad(place), 90, "the broker")
    seen["told after"] = after(lambda: len(place.sounded()) == 3, 90, "what was approved meanwhile")


def main(folder: Path) -> None:
    """Run PostgreSQL, the hub, and the story."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    seen = dict[str, Any]()
    with a_server() as server:
        url = new_database(server.url, "hub")
        with hub_and_horn(folder, {"database": {"url": url}}) as place:
            release(place.call, title="先说一次")
            until(lambda: place.ask(HORNS) == [("finished", 1)], 30, what="the first")
            database_cut(place, make_url(url).port or 0, seen)
            broker_cut(place, place.runtime.config.section(MqttSettings).port, seen)
            until(lambda: place.ask(HORNS) == [("finished", 3)], 60, what="all receipts")
            seen["horns"], seen["sounded"] = place.ask(HORNS), len(place.sounded())
    sys.stdout.write(json.dumps(seen, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
