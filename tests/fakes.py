"""Stand-ins for the outside world, typed against what they stand in for."""

from dataclasses import dataclass, field

from hub.speakers.envelope import KeyRing, Refused
from hub.speakers.protocol import Command, read_command


@dataclass
class FakeWire:
    """A broker connection that keeps what was published, or is down."""

    up: bool = True
    published: list[tuple[str, bytes]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        assert not retain, "commands are never retained"
        if self.up:
            self.published.append((topic, payload))
        return self.up

    def commands(self, keys: KeyRing) -> list[tuple[str, Command]]:
        """Return topic and opened command of everything published; fails when a signature is wrong."""
        opened = []
        for topic, payload in self.published:
            command = read_command(payload, keys)
            assert not isinstance(command, Refused), command
            opened.append((topic, command))
        return opened
