"""A county's people for real: 700,000 residents with telephones: time, size, and what their pages cost.

Run: .venv/bin/python -m benchmarks.capacity [residents] [sqlite|postgresql]
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from benchmarks.audience import TOWN, VILLAGES, expand, fill, plan
from benchmarks.databases import running_database
from broadcasts.audience.selection import Audience
from hub.core.actor import SYSTEM
from hub.core.db import Base, Sessions, make_engine
from hub.core.secrets import Secrets, first_signing
from hub.residents import listing
from hub.residents.forms import Filter
from hub.residents.phones import PhoneSafe

ROUNDS = 5


def main() -> None:
    """Fill, measure, print."""
    residents = int(sys.argv[1]) if len(sys.argv) > 1 else 700_000
    kind = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    with tempfile.TemporaryDirectory() as folder, running_database(kind, Path(folder)) as url:
        sessions = Sessions(make_engine(url))
        Base.metadata.create_all(sessions.engine)
        print(f"{kind}, {residents:,} residents")
        say("filled in", timed(lambda: fill(sessions, residents)))
        megabytes(sessions, kind, "people, telephones and tags")
        safe = PhoneSafe(SECRETS)
        wanted = Filter(region=VILLAGES[3])
        say("page of a village", best(lambda: look(sessions, wanted, safe)))
        say("first page of all", best(lambda: look(sessions, Filter(), safe)))
        say("somebody by number", best(lambda: by_number(sessions, safe)))
        plan(sessions, Audience((TOWN,), speakers=False, sms=True))
        say("a text to everybody, written down", timed(lambda: expand(sessions)))
        megabytes(sessions, kind, "with that text's rows")
        sessions.engine.dispose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{'this process at its largest':40} {peak:8.0f} MB")


SECRETS = Secrets(
    origin="demo",
    session_key=b"s" * 32,
    phone_key=b"p" * 32,
    phone_index_key=b"i" * 32,
    signing=first_signing(b"g" * 32),
    broker_password="x",  # noqa: S106 - nobody connects
)


def look(sessions: Sessions, wanted: Filter, safe: PhoneSafe) -> None:
    """Ask for a page of the list."""
    with sessions.read() as session:
        if not listing.page(session, SYSTEM, wanted, safe=safe).residents:
            raise SystemExit("nobody was found")


def by_number(sessions: Sessions, safe: PhoneSafe) -> None:
    """Look for who has a number."""
    with sessions.read() as session:
        if not listing.by_number(session, SYSTEM, "+8615400000777", safe=safe):
            raise SystemExit("nobody has that number")


def megabytes(sessions: Sessions, kind: str, what: str) -> None:
    """Print how large the database is."""
    question = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if kind == "postgresql":
        question = "SELECT pg_database_size(current_database())"
    with sessions.engine.connect() as connection:
        found = connection.execute(text(question)).scalar_one()
    print(f"{'database: ' + what:40} {found / 1e6:8.0f} MB", flush=True)


def timed(what: Callable[[], object]) -> float:
    """Return the seconds something takes."""
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def best(what: Callable[[], object]) -> float:
    """Return the seconds of the middle of some rounds."""
    return sorted(timed(what) for _ in range(ROUNDS))[ROUNDS // 2]


def say(what: str, seconds: float) -> None:
    """Print one line."""
    print(f"{what:40} {seconds:8.3f} s", flush=True)


if __name__ == "__main__":
    main()
