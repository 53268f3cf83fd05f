"""The threads that send: loudspeakers, emergencies, text messages, and the closing of what is over."""

from collections.abc import Callable, Sequence

from hub.core.background import Background, Loop


class Pumps:
    """All sending loops of a hub; `kick` wakes those that deliver, right after something was released."""

    def __init__(self) -> None:
        self._urgent: list[Loop] = []
        self._others: list[Loop] = []

    def add(self, name: str, step: Callable[[], float], *, urgent: bool = False) -> Loop:
        """Add a loop."""
        loop = Loop(name, step)
        (self._urgent if urgent else self._others).append(loop)
        return loop

    def kick(self) -> None:
        """Wake the loops that send."""
        for loop in self._urgent:
            loop.kick()

    @property
    def loops(self) -> Sequence[Background]:
        """All of them."""
        return (*self._urgent, *self._others)
