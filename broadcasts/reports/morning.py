"""Every morning whoever answers for a township, and for the county, is written how its loudspeakers stand (每日小结).

Only where something is wrong, unless the configuration wants it always; once a day and place, whoever looks.
"""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from broadcasts.delivery.rules import Rules
from broadcasts.sms.sending import direct
from hub.core.actor import SYSTEM
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.speakers.care.digest import Digest, Township, digest
from hub.speakers.settings import CareSettings

FILE: Final = Path(__file__).resolve().parents[2] / "templates" / "messages" / "morning.toml"
SPACE: Final = UUID("6f9d1f0e-6d0c-4b53-9a3f-5a4a3a0b7c11")
"""Any constant: with day and place it names the one message of that day."""
LOOK_AGAIN_S: Final = 60.0
LATEST: Final = timedelta(hours=4)
"""A hub that comes back later than this does not write about the morning any more."""
NAMED: Final = 3


@dataclass
class MorningNote:
    """`step` fits a pump."""

    sessions: Sessions
    rules: Rules
    care: CareSettings
    clock: Clock
    base_url: Callable[[], str]
    written_on: date | None = None

    def step(self) -> float:
        """Write if it is time; return how long to rest."""
        if self.care.digest_by_text == "never":
            return LOOK_AGAIN_S
        now = self.clock()
        today = now.astimezone(self.rules.zone).date()
        if self.written_on == today:
            return LOOK_AGAIN_S
        with self.sessions.read() as session:
            found = digest(session, SYSTEM, now=now, zone=self.rules.zone, at=self.care.digest_at)
        if found.due_at <= now < found.due_at + LATEST:
            self._write(found, now)
            self.written_on = today
        return LOOK_AGAIN_S

    def _write(self, found: Digest, now: datetime) -> None:
        link, always = f"{self.base_url()}/speakers/digest", self.care.digest_by_text == "always"
        with self.sessions.begin() as session:
            for code, name, lines in _places(session, found):
                if not (always or any(_is_bad(line) for line in lines)):
                    continue
                for person in duty.on_duty_at(session, path_of(code), now=now)[:1]:
                    direct.write_to(
                        session,
                        run_id=uuid5(SPACE, f"{found.day} {code}"),
                        text=_text(name, lines, link),
                        phone=(person.phone_index, person.sealed, person.masked),
                        person_id=person.id,
                        region_path=person.region_path,
                        expires_at=found.due_at + LATEST,
                        settings=self.rules.sms,
                        now=now,
                    )


def _places(session: Session, found: Digest) -> Iterator[tuple[str, str, Sequence[Township]]]:
    """Yield every township with its line, and every county with all of its."""
    for top in regions.forest(session, SYSTEM):
        below = [line for line in found.townships if path_of(line.code).startswith(path_of(top.code))]
        if below:
            yield top.code, top.name, below
        yield from ((line.code, line.name, [line]) for line in below if line.code != top.code)


def _is_bad(line: Township) -> bool:
    return bool(line.offline or line.faulty or line.failed)


def _text(name: str, lines: Sequence[Township], link: str) -> str:
    words = tomllib.loads(FILE.read_text(encoding="utf-8"))["words"]
    total, online, faulty, failed = (
        sum(getattr(line, key) for line in lines) for key in ("total", "online", "faulty", "failed")
    )
    parts = [words["head"].format(place=name, total=total, online=online)]
    silent = [each.speaker.name for line in lines for each in line.silent]
    if silent:
        more = words["more"].format(count=len(silent)) if len(silent) > NAMED else ""
        parts.append(words["silent"].format(count=len(silent), names="、".join(silent[:NAMED]) + more))
    parts += [words[key].format(count=count) for key, count in (("faulty", faulty), ("failed", failed)) if count]
    if len(parts) == 1:
        parts.append(words["fine"])
    return str("，".join(parts) + words["end"].format(link=link))
