"""The log of who did what."""

from flask import Blueprint

from hub.core.runtime import Runtime

bp = Blueprint("audit", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
