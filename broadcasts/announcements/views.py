"""Write, hear, submit and approve announcements."""

from flask import Blueprint

from hub.core.runtime import Runtime

bp = Blueprint("announcements", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
