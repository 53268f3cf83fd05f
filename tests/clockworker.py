"""A process that runs the timetable's clock on a database until it is killed. Arguments: URL, folder for data."""

import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import cunxiang
from broadcasts.feature import rules_of
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.config import load
from schedules.firing import Firing
from schedules.runner import Runner


def main(url: str, folder: str, ready: Callable[[], None]) -> None:
    """Run for ever; `ready` is called once the clock goes."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": Path(folder)},
        "database": {"url": url},
        "broadcast": {"quiet_hours": ()},  # the test's slots are due now, whatever the hour of the test
    }
    hub = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    firing = Firing(hub.sessions, rules_of(hub), timedelta())
    Runner(hub.sessions, firing, clock=hub.clock, fired=lambda: None).start()
    ready()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], ready=lambda: print("ready", flush=True))  # noqa: T201
