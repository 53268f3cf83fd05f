"""What a loudspeaker does beside sounding: recordings ordered ahead, self-test, records, starting anew."""

from typing import Final

from hub.speakers.device.actions import Action, Examine, Fetch, Resend, Silence, StartAnew
from hub.speakers.device.memory import Memory, Queued, Testing, Wanted
from hub.speakers.device.playing import NOT_KEPT, Playing
from hub.speakers.protocol import (
    FaultCode,
    Prefetch,
    Priority,
    Reached,
    Records,
    Restart,
    SelfTest,
    Settings,
)

MAX_WANTED: Final = 64
RESTART_WITHIN_MS: Final = 60_000
TEST_WITHIN_MS: Final = 30_000
REPORT_LINES: Final = 16
REPORT_KEY: Final = 24
REPORT_VALUE: Final = 80


class Duties(Playing):
    """The half of a loudspeaker that looks after itself."""

    def __init__(self, device: str, first: Settings, memory: Memory, *, can_speak: bool = False) -> None:
        super().__init__(device, first, memory, can_speak=can_speak)
        self._restart_by: int | None = None
        self._restart_order: Restart | None = None

    def boot(self, now: int) -> list[Action]:
        """Call once after power on. A self-test that was going on is over."""
        testing, self.memory.testing = self.memory.testing, None
        actions = super().boot(now)
        if testing is not None:
            actions.append(self._note(testing.command, Reached.FAILED, self._time(now), reason="power_lost"))
        return actions

    def tests(self, command_id: str) -> bool:
        """Whether that self-test is still wanted: nobody has stopped it, and it has not taken too long."""
        testing = self.memory.testing
        return testing is not None and testing.command.id == command_id

    def examined(self, command_id: str, passed: bool, report: dict[str, str], now: int) -> list[Action]:
        """The answer to `Examine`: whether all is well, and what was found, in at most 16 short lines."""
        now = self._time(now)
        testing = self.memory.testing
        if testing is None or not self.tests(command_id):
            return []
        self.memory.testing = None
        found = {key[:REPORT_KEY]: value[:REPORT_VALUE] for key, value in [*report.items()][:REPORT_LINES]}
        if passed:
            said = self._note(testing.command, Reached.FINISHED, now, report=found)
        else:
            said = self._note(testing.command, Reached.FAILED, now, reason="self_test", report=found)
        return [said, *self._turn(FaultCode.SELF_TEST, not passed, None, now), *self._advance(now)]

    # ---- commands

    def _prefetch(self, command: Prefetch, now: int) -> list[Action]:
        if len(self.memory.wanted) >= MAX_WANTED:
            return [self._receipt(command.id, Reached.REFUSED, now, reason="busy")]
        self.memory.wanted.append(Wanted(command=command))
        received = self._note(command, Reached.RECEIVED, now)
        return [received, Fetch(command.audio, Priority.RELAY, command.within_ms)]

    def _restart(self, command: Restart, now: int) -> list[Action]:
        """It is written down as done before it is done: a replay must not do it again."""
        if not self._flash_works:
            return [self._note(command, Reached.REFUSED, now, reason=NOT_KEPT)]
        finished = self._note(command, Reached.FINISHED, now)
        self._restart_by, self._restart_order = now + RESTART_WITHIN_MS, command
        return [finished, *self._advance(now)]

    def _test(self, command: SelfTest, now: int) -> list[Action]:
        busy = self.memory.testing is not None or (command.sound and self.memory.playing is not None)
        if command.sound and self.memory.was_stopped(command):
            return [self._note(command, Reached.STOPPED, now, reason="stopped_before")]
        if command.sound and self.settings.is_quiet(now):
            return [self._note(command, Reached.REFUSED, now, reason="quiet_hours")]
        if busy:
            return [self._receipt(command.id, Reached.REFUSED, now, reason="busy")]
        self.memory.testing = Testing(command=command, until=now + TEST_WITHIN_MS)
        received = self._note(command, Reached.RECEIVED, now)
        return [received, Examine(command.id, command.sound and self._flash_works, self._level(now))]

    def _stop_test(self, now: int) -> list[Action]:
        """A test with a tone is silenced by a stop like a play; one without a sound has nothing to silence."""
        testing = self.memory.testing
        if testing is None or not testing.command.sound or not self.memory.was_stopped(testing.command):
            return []
        self.memory.testing = None
        return [Silence(testing.command.id), self._note(testing.command, Reached.STOPPED, now)]

    def _send_records(self, command: Records, now: int) -> list[Action]:
        """The receipt comes last: what was to be sent has been sent."""
        return [Resend(command.after), self._note(command, Reached.FINISHED, now)]

    # ---- time

    def _advance(self, now: int) -> list[Action]:
        actions = [*self._test_overdue(now), *super()._advance(now)]
        if self._restart_by is None or not self._flash_works or not self._may_restart(now):
            return actions
        self._restart_by = None
        return [*actions, StartAnew()]

    def _may_restart(self, now: int) -> bool:
        """Nothing sounds, or it has waited long enough; but no emergency is ever cut off by it."""
        sounding = self.memory.item(self.memory.playing)
        if sounding is None:
            return True
        return sounding.command.pri is not Priority.EMERGENCY and now >= (self._restart_by or 0)

    def _may_begin(self, item: Queued) -> bool:
        """While it is about to restart, or to sound a test, only an emergency begins."""
        tests = self.memory.testing is not None and self.memory.testing.command.sound
        return item.command.pri is Priority.EMERGENCY or (self._restart_by is None and not tests)

    def _test_overdue(self, now: int) -> list[Action]:
        testing = self.memory.testing
        if testing is None or now < testing.until:
            return []
        self.memory.testing = None
        return [Silence(testing.command.id), self._note(testing.command, Reached.FAILED, now, reason="stuck")]

    def _wakes(self) -> list[int]:
        wakes = super()._wakes()
        if self._restart_by is not None:
            wakes.append(self._restart_by)
        if self.memory.testing is not None:
            wakes.append(self.memory.testing.until)
        return wakes
