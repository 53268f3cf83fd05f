"""The bare peer of a scheduler: one table, one connection, and an UPDATE at the moment something is due.

Run by lateness.py: .venv/bin/python benchmarks/bare_timer.py URL
"""

import sys
import time
from typing import Final

import psycopg

MAKE: Final = (
    "CREATE TABLE IF NOT EXISTS bare (id serial PRIMARY KEY, due_at timestamptz NOT NULL, state text DEFAULT 'planned')"
)
NEXT: Final = "SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM bare WHERE state = 'planned'"
FIRE: Final = """
    UPDATE bare SET state = 'fired' WHERE id IN (
        SELECT id FROM bare WHERE state = 'planned' AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
"""
LOOK_S: Final = 0.2


def main(url: str) -> None:
    """Wait for what is next by the database's clock, take it, and so on until killed."""
    with psycopg.connect(url, autocommit=True) as line:
        while True:
            found = line.execute(NEXT).fetchone()
            wait_s = LOOK_S if found is None or found[0] is None else found[0]
            if wait_s > 0:
                time.sleep(min(wait_s, LOOK_S))
            if wait_s <= LOOK_S:
                line.execute(FIRE)


if __name__ == "__main__":
    main(sys.argv[1])
