"""A process that works imports off until it is killed: `python importworker.py DATABASE UPLOADS`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from smslab import lab_safe

from hub.core.db import Sessions, make_engine
from hub.residents.import_jobs import ImportWork
from hub.web.uploads import Uploads


def main() -> None:
    """Go on for ever."""
    sessions = Sessions(make_engine(sys.argv[1]))
    worker = ImportWork(sessions, Uploads(Path(sys.argv[2])), lab_safe(), clock=lambda: datetime.now(UTC))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        worker.step()


if __name__ == "__main__":
    main()
