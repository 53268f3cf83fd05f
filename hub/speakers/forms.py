"""What people type on the pages about loudspeakers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Self, TypeVar
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from hub.core.errors import BadInput, Problems
from hub.speakers.care.setup import MOST_TIMES, LoudTime, Place, Sound
from hub.speakers.models import Speaker
from hub.speakers.topics import is_device_id

T = TypeVar("T")
MOST_CHOSEN: Final = 5000
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_PLACE = re.compile(r"([012])\.([a-z0-9][a-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which loudspeakers the list shows."""

    region: str = ""
    show: str = ""
    query: str = ""
    after: str = ""

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Self:
        """Take what the address says."""
        return cls(
            region=args.get("region", ""),
            show=args.get("show", "") or ("offline" if args.get("offline") == "1" else ""),
            query=args.get("q", "").strip(),
            after=args.get("after", ""),
        )

    def place(self) -> tuple[int, str] | None:
        """Return where the page before ended; None on the first page."""
        match = _PLACE.fullmatch(self.after)
        return (int(match[1]), match[2]) if match else None

    def chosen(self) -> dict[str, str]:
        """Return the choice as parts of an address, without the page."""
        parts = {"region": self.region, "show": self.show, "q": self.query}
        return {name: value for name, value in parts.items() if value}

    def address(self, page: str) -> str:
        """Return the address of a page with this choice."""
        return f"{page}?{urlencode(self.chosen())}" if self.chosen() else page

    def but(self, **changed: str) -> dict[str, str]:
        """Return the choice with something else in it, as parts of an address."""
        return {name: value for name, value in (self.chosen() | changed).items() if value}


@dataclass(frozen=True, slots=True)
class NewSpeaker:
    """The form for a new loudspeaker."""

    speaker_id: str = ""
    name: str = ""
    region_code: str = ""
    broker_host: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent."""
        return cls(
            speaker_id=form.get("speaker_id", "").strip().lower(),
            name=form.get("name", "").strip(),
            region_code=form.get("region_code", ""),
            broker_host=form.get("broker_host", "").strip(),
        )

    def host(self) -> str:
        """Return the hub's address as the device reaches it; BadInput when it cannot be one."""
        if not _HOST.fullmatch(self.broker_host):
            raise BadInput("broker_host_malformed", field="broker_host")
        return self.broker_host


def volume(form: Mapping[str, str]) -> int:
    """Return the typed volume; BadInput unless it is a number."""
    text = form.get("volume", "").strip()
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise BadInput("volume_range", field="volume")
    return int(text)


@dataclass(frozen=True, slots=True)
class SoundForm:
    """Volumes by the time of day, lead-in and drill, as they were typed."""

    times: tuple[tuple[str, str, str], ...] = ()
    lead_in: str = "0"
    drill: bool = False

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent; lines left empty are no lines."""
        lines = [
            tuple(form.get(f"{name}-{n}", "").strip() for name in ("start", "end", "cap")) for n in range(MOST_TIMES)
        ]
        kept = tuple((a, b, c) for a, b, c in lines if a or b or c)
        return cls(kept, form.get("lead_in", "").strip() or "0", form.get("drill") == "1")

    @classmethod
    def of(cls, speaker: Speaker) -> Self:
        """Return it as it is."""
        times = tuple((_clock(t["start"]), _clock(t["end"]), str(t["cap"])) for t in speaker.volumes)
        return cls(times, f"{speaker.lead_in_ms / 1000:g}", speaker.drill)

    def lines(self) -> list[tuple[str, str, str]]:
        """Return the lines to show: those there are and one or two to fill in."""
        room = min(MOST_TIMES, len(self.times) + 2)
        return [*self.times, *([("", "", "")] * (room - len(self.times)))]

    def sound(self) -> Sound:
        """Return what it means; Problems where something cannot be read."""
        problems: list[BadInput] = []
        times = []
        for n, (start, end, cap) in enumerate(self.times):
            minutes = [_minutes(start), _minutes(end)]
            problems += [
                BadInput("loud_time_malformed", field=f"{name}-{n}")
                for name, minute in zip(("start", "end"), minutes, strict=True)
                if minute is None
            ]
            if not re.fullmatch(r"[0-9]{1,3}", cap):
                problems.append(BadInput("volume_range", field=f"cap-{n}"))
            elif minutes[0] is not None and minutes[1] is not None:
                times.append(LoudTime(minutes[0], minutes[1], int(cap)))
        if not re.fullmatch(r"[0-9](\.[0-9])?", self.lead_in):
            problems.append(BadInput("lead_in_range", field="lead_in"))
        if problems:
            raise problems[0] if len(problems) == 1 else Problems(problems)
        return Sound(tuple(times), round(float(self.lead_in) * 1000), self.drill)


@dataclass(frozen=True, slots=True)
class PlaceForm:
    """Where it hangs, as it was typed."""

    name: str = ""
    place: str = ""
    lat: str = ""
    lon: str = ""
    keeper: str = ""
    households: str = ""
    model: str = ""
    installed_on: str = ""
    note: str = ""

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what was sent."""
        return cls(**{name: form.get(name, "").strip() for name in cls.__dataclass_fields__})

    @classmethod
    def of(cls, speaker: Speaker) -> Self:
        """Return it as it is."""
        return cls(**{name: _text(getattr(speaker, name)) for name in cls.__dataclass_fields__})

    def meant(self) -> Place:
        """Return what it means; Problems where something cannot be read."""
        problems: list[BadInput] = []

        def read(name: str, code: str, how: Callable[[str], T]) -> T | None:
            text = getattr(self, name)
            try:
                return how(text) if text else None
            except (ValueError, OverflowError):
                problems.append(BadInput(code, field=name))
                return None

        place = Place(
            name=self.name,
            place=self.place,
            lat=read("lat", "position_range", _coordinate),
            lon=read("lon", "position_range", _coordinate),
            keeper=self.keeper,
            households=read("households", "households_malformed", _whole),
            model=self.model,
            installed_on=read("installed_on", "date_malformed", date.fromisoformat),
            note=self.note,
        )
        if problems:
            raise problems[0] if len(problems) == 1 else Problems(problems)
        return place


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _coordinate(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{1,8})?", text):
        raise ValueError(text)
    return float(text)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError(text)
    return int(text)


def _minutes(text: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
    if match is None or int(match[1]) > 24 or int(match[2]) > 59 or (int(match[1]) == 24 and int(match[2])):
        return None
    return int(match[1]) * 60 + int(match[2])


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def chosen(form: MultiDict[str, str]) -> list[str]:
    """Return the loudspeakers that were ticked."""
    return [one for one in form.getlist("id") if is_device_id(one)][:MOST_CHOSEN]
