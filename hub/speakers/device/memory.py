"""What a loudspeaker must not forget over a power cut.

Its parts are slots and not models: a thousand simulated devices keep fifty of each in one process.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from hub.speakers.protocol import ENDED, Command, Play, Prefetch, Reached, SelfTest, Settings, Stop, Used

MAX_SEEN: Final = 512
RECENT: Final = 8
DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class Seen:
    """One accepted command."""

    state: Reached
    exp: int
    issuer: str
    seq: int


@dataclass(slots=True)
class Queued:
    """A play that has not ended: its command, what is here of it, and how often and how long it has sounded."""

    command: Play
    fetched: bool = False
    """Whether the recording is here: the ordered one, or the one that stands in for a stream."""
    ready: bool = False
    """Whether enough of a shout is here."""
    since: int = 0
    """When it was accepted, or the power came back: an emergency waits for its recording from then."""
    attempts: int = 0
    next_try: int = 0
    began: int = 0
    """When its first word was due: the end of a stream counts from then."""
    interrupted: int = 0
    played_ms: int = 0
    heard_ms: int = 0
    """How much was heard in passes that are over."""
    passes: int = 0
    broken: tuple[Used, ...] = ()
    """What could not be sounded and is not tried again."""


@dataclass(slots=True)
class Wanted:
    """A recording that was ordered ahead and is not here yet."""

    command: Prefetch
    attempts: int = 0
    next_try: int = 0


@dataclass(slots=True)
class Testing:
    """A self-test that has not been answered."""

    command: SelfTest
    until: int


@dataclass(slots=True)
class StoppedAll:
    """The newest `stop all` of one issuer."""

    seq: int
    iat: int


class Memory(BaseModel):
    """The persistent state of one device."""

    model_config = ConfigDict(extra="ignore")

    settings: Settings | None = None
    volume: int = 80
    receipts: int = 0
    hub_time: int = 0
    not_before: int = 0
    last_seq: int = -1
    playing: str | None = None
    seen: dict[str, Seen] = Field(default_factory=dict)
    floors: dict[str, int] = Field(default_factory=dict)
    forgotten: dict[str, int] = Field(default_factory=dict)
    """By issuer the highest number that was forgotten because it had expired, the latest of them at `forgotten_exp`."""
    forgotten_exp: int = 0
    stopped: dict[str, int] = Field(default_factory=dict)
    stopped_all: dict[str, StoppedAll] = Field(default_factory=dict)
    queue: list[Queued] = Field(default_factory=list)
    wanted: list[Wanted] = Field(default_factory=list)
    testing: Testing | None = None
    faults: list[str] = Field(default_factory=list)
    recent: list[tuple[str, Reached]] = Field(default_factory=list)

    def item(self, command_id: str | None) -> Queued | None:
        """The waiting or sounding play of that id."""
        return next((item for item in self.queue if item.command.id == command_id), None)

    def note(self, command: Command, state: Reached) -> None:
        """Remember how far a command has come."""
        self.seen[command.id] = Seen(state=state, exp=command.exp, issuer=command.issuer, seq=command.seq)
        self.recent = [pair for pair in self.recent if pair[0] != command.id][1 - RECENT :]
        self.recent.append((command.id, state))
        self._forget()

    def is_too_old(self, command: Command) -> bool:
        """Whether it may have been seen and forgotten."""
        return command.seq <= self.floors.get(command.issuer, -1) or command.iat < self.not_before

    def take_time(self, hub_time: int) -> None:
        """Believe the hub's clock. Set back, it would make what has expired and is forgotten valid once more."""
        if hub_time < self.forgotten_exp:
            for issuer, seq in self.forgotten.items():
                self.floors[issuer] = max(seq, self.floors.get(issuer, -1))
        self.hub_time = hub_time

    def take_stop(self, stop: Stop) -> None:
        """Remember what must not sound any more, also when it arrives later."""
        for name in (*stop.ids, *stop.broadcasts):
            self.stopped[name] = max(stop.exp, stop.iat + DAY_MS, self.stopped.get(name, 0))
        before = self.stopped_all.get(stop.issuer)
        if stop.all and (before is None or before.seq < stop.seq):
            self.stopped_all[stop.issuer] = StoppedAll(seq=stop.seq, iat=stop.iat)

    def was_stopped(self, play: Play | SelfTest) -> bool:
        """Whether a stop has named it, or has stopped everything issued before and so it."""
        if play.id in self.stopped or (isinstance(play, Play) and play.broadcast in self.stopped):
            return True
        return any(
            play.seq < stop.seq if issuer == play.issuer else play.iat <= stop.iat
            for issuer, stop in self.stopped_all.items()
        )

    def _forget(self) -> None:
        """Forget what can never be accepted again: expired by signed time, or pushed out by newer ones."""
        over = [key for key, seen in self.seen.items() if seen.exp <= self.hub_time and seen.state in ENDED]
        for key in over:
            gone = self.seen.pop(key)
            self.forgotten[gone.issuer] = max(gone.seq, self.forgotten.get(gone.issuer, -1))
            self.forgotten_exp = max(self.forgotten_exp, gone.exp)
        self.stopped = {name: exp for name, exp in self.stopped.items() if exp > self.hub_time}
        while len(self.seen) > MAX_SEEN:
            ended = (key for key, seen in self.seen.items() if seen.state in ENDED)
            gone = self.seen.pop(min(ended, key=lambda key: self.seen[key].seq))
            self.floors[gone.issuer] = max(gone.seq, self.floors.get(gone.issuer, -1))
