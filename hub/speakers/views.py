"""Loudspeakers: list, one, add, volume."""

from flask import Blueprint

from hub.core.runtime import Runtime

bp = Blueprint("speakers", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
