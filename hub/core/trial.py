"""A trial: everything is checked and answered as if it were done, and nothing is done.

Whoever begins one, for this thread, makes every unit of work end in a rollback and every message to a loudspeaker go
nowhere. So a test key of the API cannot reach a real loudspeaker or telephone, whatever verb it calls.
"""

from contextvars import ContextVar

_on: ContextVar[bool] = ContextVar("trial", default=False)


def begin() -> None:
    """From here on nothing is done."""
    _on.set(True)


def end() -> None:
    """From here on things are done again."""
    _on.set(False)


def is_on() -> bool:
    """Return whether nothing is done at present."""
    return _on.get()
