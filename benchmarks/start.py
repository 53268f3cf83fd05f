"""Seconds from `cunxiang demo` to its first page, on data that is already there; beside a bare Flask page.

Run: .venv/bin/python benchmarks/start.py [rounds]
"""

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BARE = """
from flask import Flask
from waitress import serve
app = Flask("bare")
app.add_url_rule("/sign-in", view_func=lambda: "hello")
serve(app, host="127.0.0.1", port=8798)
"""


def seconds_to_page(command: list[str], url: str, *, patience_s: float = 120) -> float:
    """Start a process, wait until the page answers, end the process."""
    begin = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - begin < patience_s:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
                    answer.read()
                return time.monotonic() - begin
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.02)
        raise SystemExit(f"no page within {patience_s} s")
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "-m", "cunxiang", "demo", "--port", "8799", "--data-dir", folder]
        bare = [sys.executable, "-c", BARE]
        first = seconds_to_page(demo, "http://127.0.0.1:8799/sign-in")
        ours = [seconds_to_page(demo, "http://127.0.0.1:8799/sign-in") for _ in range(rounds)]
        theirs = [seconds_to_page(bare, "http://127.0.0.1:8798/sign-in") for _ in range(rounds)]
    ours_median, bare_median = statistics.median(ours), statistics.median(theirs)
    print(f"first start, making the county   {first:6.2f} s")
    print(f"second start to first page       {ours_median:6.2f} s  (min {min(ours):.2f}, max {max(ours):.2f})")
    print(f"bare Flask + waitress            {bare_median:6.2f} s")
    print(f"ratio                            {ours_median / bare_median:6.1f}")


if __name__ == "__main__":
    main()
