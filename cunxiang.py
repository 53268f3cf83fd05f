"""The roof: the one module that knows every feature. `cunxiang --help` says what can be done from here."""

import atexit
import gc
from pathlib import Path

gc.disable()  # a quarter of the start went into looking for rubbish among what is only just being made

from flask import Flask  # noqa: E402

import broadcasts.feature  # noqa: E402
import schedules.feature  # noqa: E402
from hub.app import build, open_runtime  # noqa: E402
from hub.commands.frame import sections  # noqa: E402
from hub.commands.top import command_line  # noqa: E402
from hub.core.config import load  # noqa: E402
from hub.core.feature import Feature  # noqa: E402

gc.freeze()
gc.enable()
atexit.register(gc.freeze)  # nor is anything gained by a last look among what ends with the process: it took 1.6 s

FEATURES: tuple[Feature, ...] = (broadcasts.feature.feature, schedules.feature.feature)


def create_app(config_path: str | None = None) -> Flask:
    """Return the web application for a WSGI server of your own; the background work is `cunxiang run`'s."""
    config = load(Path(config_path) if config_path else None, sections(FEATURES))
    return build(open_runtime(config), FEATURES)


main = command_line(FEATURES)

if __name__ == "__main__":
    main()
