"""What a loudspeaker does while its memory cannot be written: a grave emergency sounds, nothing else begins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from hub.speakers.device.actions import Action, Examine, Send, Sound, StartAnew
from hub.speakers.device.duties import Duties
from hub.speakers.device.playing import NOT_KEPT
from hub.speakers.protocol import FaultCode, Play, Reached

BEFORE_THE_END: Final = frozenset({Reached.RECEIVED, Reached.FETCHED, Reached.STARTED})


class Keeping(Duties):
    """The half of a loudspeaker that knows what a power cut would leave of it."""

    def kept(self) -> None:
        """The memory is on the flash as it is now."""
        self.dirty, self._flash_works, self._on_flash = False, True, self.memory.playing

    def unkept(self, actions: list[Action], now: int) -> list[Action]:
        """The memory could not be written: what is to be done instead of these actions.

        What would begin is refused, as is what has just come, for a power cut would make it sound again, or be
        forgotten. Only a grave emergency sounds nevertheless, and what the flash knows to be sounding goes on. All of
        it is remembered as long as the power holds.
        """
        now, self._flash_works = self._time(now), False
        gone = self._unkept_plays(actions)
        instead = [each for action in actions if (each := self._without(action, gone)) is not None]
        for command_id in gone:
            instead += self._withdraw(command_id, now)
        instead += self._put_off_restart(actions, now)
        instead += self._turn(FaultCode.STORAGE_LOW, True, "memory not written", now)
        return self._renumbered(actions, [*instead, *self._advance(now)])

    def _unkeepable(self, command: Play) -> str | None:
        """Why a play may not even be accepted at present."""
        return None if self._flash_works or self._may_sound_unkept(command) else NOT_KEPT

    def _unkept_plays(self, actions: list[Action]) -> list[str]:
        """Plays that came, or would begin, with these actions, and must not."""
        begin = [action.command.id for action in actions if isinstance(action, Sound)]
        sends = [action.receipt for action in actions if isinstance(action, Send)]
        came = [receipt.id for receipt in sends if receipt.st is Reached.RECEIVED]
        found = [self.memory.item(command_id) for command_id in dict.fromkeys([*begin, *came])]
        return [item.command.id for item in found if item is not None and not self._may_sound_unkept(item.command)]

    def _without(self, action: Action, gone: list[str]) -> Action | None:
        match action:
            case Send(receipt) if receipt.st in BEFORE_THE_END and receipt.id in gone:
                return None
            case Send(receipt) if self._restart_order is not None and receipt.id == self._restart_order.id:
                return None
            case Sound(command) if command.id in gone:
                return None
            case StartAnew():
                return None
            case Examine():
                return replace(action, sound=False)
        return action

    def _withdraw(self, command_id: str, now: int) -> list[Action]:
        item = self.memory.item(command_id)
        if item is None:
            return []
        if self.memory.playing == command_id:
            self.memory.playing, self._pass = None, None
        return [self._turn_away(item, NOT_KEPT, now)]

    def _put_off_restart(self, actions: list[Action], now: int) -> list[Action]:
        """One that has just come is refused; one that is on the flash waits until that takes something again."""
        order = self._restart_order
        if order is not None and any(isinstance(each, Send) and each.receipt.id == order.id for each in actions):
            self._restart_by = self._restart_order = None
            return [self._note(order, Reached.REFUSED, now, reason=NOT_KEPT)]
        if StartAnew() in actions:
            self._restart_by = now
        return []

    def _renumbered(self, before: list[Action], instead: list[Action]) -> list[Action]:
        """Leave no gap in the numbers where a receipt was taken back."""
        numbers = sorted({*_numbers(before), *_numbers(instead)})
        self.memory.receipts -= len(numbers) - len(_numbers(instead))
        free = iter(numbers)
        return [_with_number(action, free) for action in instead]


def _numbers(actions: list[Action]) -> list[int]:
    return [each.receipt.n for each in actions if isinstance(each, Send) and each.receipt.id is not None]


def _with_number(action: Action, free: Iterator[int]) -> Action:
    if isinstance(action, Send) and action.receipt.id is not None:
        return Send(action.receipt.model_copy(update={"n": next(free)}))
    return action
