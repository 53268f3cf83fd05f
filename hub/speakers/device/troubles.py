"""How simulated loudspeakers feel: plausible values, and faults that come and go."""

import random
from typing import Final

from hub.speakers.device.ground import Health
from hub.speakers.protocol import FaultCode

FELT: Final = frozenset(
    {FaultCode.MAINS_LOST, FaultCode.BATTERY_LOW, FaultCode.TEMPERATURE_HIGH, FaultCode.FIELD_STRENGTH_LOW}
)
"""Faults that follow from what is measured; the others are simply there."""
FREQUENT: Final = (
    FaultCode.MAINS_LOST,
    FaultCode.POWER_CURRENT_LOW,
    FaultCode.AMP_VOLTAGE_LOW,
    FaultCode.FIELD_STRENGTH_LOW,
    FaultCode.BATTERY_LOW,
    FaultCode.TEMPERATURE_HIGH,
    FaultCode.POWER_AVERAGE_LOW,
    FaultCode.MONITOR_LOST,
)


class Troubles:
    """The senses of one simulated device, with at most one trouble at a time."""

    __slots__ = ("_signal", "_temp", "trouble")

    def __init__(self, seed: str) -> None:
        chance = random.Random(seed)  # noqa: S311 - a play, and the same at each start
        self._temp, self._signal = chance.randint(12, 46), chance.randint(-97, -58)
        self.trouble: FaultCode | None = None

    def feel(self) -> Health:
        """Values that fit to the trouble."""
        trouble = self.trouble
        on_battery = trouble in {FaultCode.MAINS_LOST, FaultCode.BATTERY_LOW}
        return Health(
            mains=not on_battery,
            battery=9 if trouble is FaultCode.BATTERY_LOW else 100 - 30 * on_battery,
            temp=91 if trouble is FaultCode.TEMPERATURE_HIGH else self._temp,
            signal=-116 if trouble is FaultCode.FIELD_STRENGTH_LOW else self._signal,
        )

    def turn(self, chance: random.Random) -> tuple[FaultCode | None, FaultCode | None]:
        """Recover, or get into trouble: (what went, what came)."""
        before = self.trouble
        self.trouble = chance.choice(FREQUENT) if before is None else None
        return before, self.trouble
