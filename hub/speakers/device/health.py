"""How a machine feels: power, battery, temperature, reception, and what of it is a fault; the self-test."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hub.speakers.device.ground import Health
from hub.speakers.protocol import Audio, FaultCode

log = logging.getLogger(__name__)

BATTERY_LOW: Final = 20
BATTERY_WELL: Final = 30
HOT: Final = 85
COOL: Final = 75
LEAST_FREE: Final = 20_000_000
WEAK_DBM: Final = -110
FAIR_DBM: Final = -105
MEGABYTE: Final = 1_000_000

Verdict = tuple[FaultCode, bool, str]


class Senses(Protocol):
    """What a device can measure of itself. What it cannot is left out."""

    def feel(self) -> Health: ...


class Machine:
    """A Linux machine's own sensors, where there are any; other systems feel nothing."""

    def __init__(self, classes: Path = Path("/sys/class"), wireless: Path = Path("/proc/net/wireless")) -> None:
        self._classes = classes
        self._wireless = wireless

    def feel(self) -> Health:
        """Read them anew."""
        found = Health()
        temperatures = [int(text) for text in self._texts("thermal", "thermal_zone*/temp") if _is_number(text)]
        if temperatures:
            found["temp"] = max(-60, min(150, max(temperatures) // 1000))
        mains = [text for kind in ("Mains", "USB") for text in self._supplies(kind, "online")]
        if mains:
            found["mains"] = "1" in mains
        charges = [int(text) for text in self._supplies("Battery", "capacity") if _is_number(text)]
        if charges:
            found["battery"] = max(0, min(100, *charges))
        signal = self._signal()
        if signal is not None:
            found["signal"] = signal
        return found

    def _texts(self, kind: str, pattern: str) -> list[str]:
        return [text for path in sorted((self._classes / kind).glob(pattern)) if (text := _text(path)) is not None]

    def _supplies(self, kind: str, what: str) -> list[str]:
        found = []
        for folder in sorted((self._classes / "power_supply").glob("*")):
            text = _text(folder / what) if _text(folder / "type") == kind else None
            if text is not None:
                found.append(text)
        return found

    def _signal(self) -> int | None:
        """Level in dBm of the first wireless line, as Linux writes it: name, status, link, level."""
        lines = (_text(self._wireless) or "").splitlines()[2:]
        parts = lines[0].split() if lines else []
        level = parts[3].rstrip(".") if len(parts) > 3 else ""
        return max(-150, min(0, int(level))) if _is_number(level) else None


def verdicts(felt: Health, faults: list[str]) -> list[Verdict]:
    """What of that is a fault and what is none, with some room between, so that nothing flickers."""
    found: list[Verdict] = []
    mains, battery, temp, signal = (felt.get(name) for name in ("mains", "battery", "temp", "signal"))
    if isinstance(mains, bool):
        found.append((FaultCode.MAINS_LOST, not mains, "on battery"))
    for code, value, low, well, unit in (
        (FaultCode.BATTERY_LOW, battery, BATTERY_LOW, BATTERY_WELL, "%"),
        (FaultCode.FIELD_STRENGTH_LOW, signal, WEAK_DBM, FAIR_DBM, " dBm"),
    ):
        if isinstance(value, int):
            found.append((code, value < (well if code in faults else low), f"{value}{unit}"))
    if isinstance(temp, int):
        limit = COOL if FaultCode.TEMPERATURE_HIGH in faults else HOT
        found.append((FaultCode.TEMPERATURE_HIGH, temp > limit, f"{temp} C"))
    return found


@dataclass(frozen=True, slots=True)
class Checks:
    """What a self-test looks at."""

    folder: Path
    find: Callable[[Audio], Path | None]
    free: Callable[[], int]
    opens: Callable[[], bool]
    pack: tuple[Audio, ...]
    clock_set: bool


def examine(checks: Checks) -> dict[str, str]:
    """Look at everything; each line begins with `ok`, or says in a word or two what is wrong. May take seconds."""
    missing = sum(checks.find(audio) is None for audio in checks.pack)
    free = checks.free()
    return {
        "storage": "ok" if _can_write(checks.folder) else "not writable",
        "space": f"{'ok' if free >= LEAST_FREE else 'low'} {free // MEGABYTE} MB",
        "clock": "ok" if checks.clock_set else "never set",
        "amp": "ok" if checks.opens() else "does not open",
        "pack": f"missing {missing}" if missing else f"ok {len(checks.pack)}",
    }


def is_well(report: dict[str, str]) -> bool:
    """Whether nothing in the report is wrong."""
    return all(value.startswith("ok") for value in report.values())


def _can_write(folder: Path) -> bool:
    trial = folder / "self-test"
    try:
        trial.write_bytes(b"self-test")
        right = trial.read_bytes() == b"self-test"
        trial.unlink()
    except OSError:
        return False
    return right


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
