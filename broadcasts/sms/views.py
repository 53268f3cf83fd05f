"""Text messages: outbox, inbox, simulated phones, providers' callbacks."""

from flask import Blueprint

from hub.core.runtime import Runtime

bp = Blueprint("sms", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
