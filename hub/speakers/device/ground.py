"""What every rule of a loudspeaker stands on: its memory, its clock, its receipts, its faults."""

from typing import Final, Literal, TypedDict, Unpack

from hub.speakers.device.actions import Action, Send, SendFault
from hub.speakers.device.memory import Memory
from hub.speakers.envelope import KeyRing
from hub.speakers.protocol import Command, FaultCode, FaultReport, Reached, Receipt, Settings, Used

MAX_FAULTS: Final = 16
CODE_LENGTH: Final = 24
DETAIL_LENGTH: Final = 80

Amplifier = Literal["on", "off", "fault"]


class Details(TypedDict, total=False):
    """What a receipt may say beside the state."""

    reason: str | None
    played_ms: int | None
    reached: Reached | None
    volume: int | None
    used: Used | None
    round: int | None
    report: dict[str, str] | None


class Health(TypedDict, total=False):
    """What the body measures and heartbeats say."""

    amp: Amplifier | None
    mains: bool | None
    battery: int | None
    temp: int | None
    signal: int | None
    pack: int | None


class Ground:
    """Memory, clock, receipts and faults of one loudspeaker. Public calls take `now`, ms UTC of the local clock."""

    def __init__(self, device: str, first: Settings, memory: Memory) -> None:
        self.device = device
        self.memory = memory
        self.dirty = False
        self._first = first
        self._offset = 0
        self._moved: int | None = None
        self._unsaid: list[Action] = []
        self._flash_works = True
        self._take_settings()

    @property
    def is_kept(self) -> bool:
        """Whether the memory could be written when it last changed."""
        return self._flash_works

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.memory.settings or self._first

    def fault(self, code: FaultCode | str, on: bool, detail: str | None, now: int) -> list[Action]:
        """A fault came or went: it is said once for each change, and heartbeats repeat it while it lasts."""
        return self._turn(str(code), on, detail, self._time(now))

    def _turn(self, code: str, on: bool, detail: str | None, now: int) -> list[Action]:
        faults, code = self.memory.faults, code[:CODE_LENGTH]
        if on is (code in faults) or (on and len(faults) >= MAX_FAULTS):
            return []
        self.memory.faults = [*faults, code] if on else [each for each in faults if each != code]
        self.dirty = True
        said = detail[:DETAIL_LENGTH] if detail else None
        return [SendFault(FaultReport(dev=self.device, code=code, on=on, ts=now, detail=said))]

    def _take_settings(self) -> None:
        self._ring = KeyRing.of(self.settings.keys)
        self._regions = frozenset(self.settings.regions)

    def _time(self, local: int) -> int:
        """The best known time: the local clock, set by the hub, never before what a hub has signed."""
        return max(local + self._offset, self.memory.hub_time)

    def _level(self, now: int) -> int:
        """The lasting volume, as loud as it may be at this time of day."""
        return min(self.memory.volume, self.settings.cap_at(now))

    def _receipt(self, command_id: str | None, state: Reached, now: int, **details: Unpack[Details]) -> Send:
        """Say it. What has no id is not kept, so it takes no number of its own."""
        if command_id is not None:
            self.memory.receipts += 1
            self.dirty = True
        return Send(
            Receipt(
                id=command_id,
                dev=self.device,
                n=self.memory.receipts,
                st=state,
                ts=now,
                offset_ms=self._moved,
                **details,
            )
        )

    def _note(self, command: Command, state: Reached, now: int, **details: Unpack[Details]) -> Send:
        """Remember the state of a command, and say it."""
        self.memory.note(command, state)
        return self._receipt(command.id, state, now, **details)
