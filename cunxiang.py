"""The roof: the one module that knows every feature. `cunxiang --help` says what can be done from here."""

from pathlib import Path

from flask import Flask

import broadcasts.feature
import schedules.feature
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.commands.top import command_line
from hub.core.config import load
from hub.core.feature import Feature

FEATURES: tuple[Feature, ...] = (broadcasts.feature.feature, schedules.feature.feature)


def create_app(config_path: str | None = None) -> Flask:
    """Return the web application for a WSGI server of your own; the background work is `cunxiang run`'s."""
    config = load(Path(config_path) if config_path else None, sections(FEATURES))
    return build(open_runtime(config), FEATURES)


main = command_line(FEATURES)

if __name__ == "__main__":
    main()
