"""What a clerk typed, checked; and the hash that an approval is of."""

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from broadcasts.announcements.models import Announcement, When
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Theme
from broadcasts.relay.addresses import Relay
from broadcasts.speech.engine import Language
from hub.core.errors import BadInput

TITLE_LENGTH = 30
TEXT_LENGTH = 1000
SMS_LENGTH = 450
MOST_REPEATS = 5
SPEEDS = ("slow", "normal", "fast")
FURTHEST = timedelta(days=366)
STORED_TITLE = 60
ISSUER_LENGTH = 60
_READING = re.compile(r"[{｛][^{}｛｝\n]{0,60}[}｝]")
"""行长{hang2 zhang3}: how a word is to be read aloud. For voices, not for telephones."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A recording of the library: whose, its bytes, how long one pass is, and its outline where that is known."""

    material_id: UUID
    sha256: str
    ms: int
    peaks: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of the compose form as values. It may be incomplete; `problems` says what submitting still needs.

    With a `relay` loudspeakers sound a programme from elsewhere; the words, if any, are for when it dies.
    """

    title: str
    text: str
    sms_text: str
    theme: Theme
    audience: Audience
    language: Language = Language.MANDARIN
    speed: str = "normal"
    repeats: int = 2
    volume: int | None = None
    when: When = When.NOW
    at: datetime | None = None
    daily_at: str = ""
    first_day: date | None = None
    last_day: date | None = None
    relay: Relay | None = None
    origin: UUID | None = None
    """The text of the library that the words come from."""
    recording: Chosen | None = None
    """Played instead of reading the words, which then only say what is in it."""
    sms_until: datetime | None = None
    """After this no text message of it is sent any more; None: a day after it goes out."""
    issuer: str = ""
    """Whose notice it is, and in `issuer_ref` the number it has there: for the ledger, nobody hears it."""
    issuer_ref: str = ""

    @property
    def speaks(self) -> bool:
        """Whether a recording of the words is needed."""
        return self.audience.speakers and (self.relay is None or bool(self.text.strip()))

    @property
    def message(self) -> str:
        """The text message: its own words, or the spoken ones without the notes on how to read them."""
        return self.sms_text.strip() or _READING.sub("", self.text).strip()

    @property
    def settled(self) -> "Draft":
        """The same as it is stored: blanks cut off, only what its `when` needs, no region inside another one."""
        codes = tuple(path.rstrip("/").rpartition("/")[2] for path in self.audience.paths)
        once, daily = self.when is When.ONCE, self.when is When.DAILY
        return replace(
            self,
            title=self.title.strip()[:STORED_TITLE],
            text=self.text.strip(),
            sms_text=self.sms_text.strip(),
            issuer=self.issuer.strip()[:ISSUER_LENGTH],
            issuer_ref=self.issuer_ref.strip()[:ISSUER_LENGTH],
            sms_until=self.sms_until if self.audience.sms and not daily else None,
            audience=replace(self.audience, regions=codes).sorted,
            at=self.at if once else None,
            daily_at=self.daily_at[:5] if daily else "",
            first_day=self.first_day if daily else None,
            last_day=self.last_day if daily else None,
        )

    def problems(self, *, now: datetime, today: date) -> list[BadInput]:
        """Return everything that keeps it from being submitted."""
        return [
            *self._word_problems(),
            *self._issuer_problems(),
            *self._sound_problems(),
            *self._audience_problems(),
            *self._time_problems(now, today),
        ]

    def _word_problems(self) -> list[BadInput]:
        found: list[BadInput] = []
        if not self.title.strip():
            found.append(BadInput("title_missing", field="title"))
        elif len(self.title) > TITLE_LENGTH:
            found.append(
                BadInput("title_too_long", field="title", most=TITLE_LENGTH, over=len(self.title) - TITLE_LENGTH)
            )
        if not self.text.strip() and self.relay is None and self.recording is None:
            found.append(BadInput("text_missing", field="text"))
        elif len(self.text) > TEXT_LENGTH:
            found.append(BadInput("text_too_long", field="text", most=TEXT_LENGTH, over=len(self.text) - TEXT_LENGTH))
        if self.relay is not None:
            return [*found, *self.relay.problems(), *self._relay_problems()]
        return [*found, *(self._sms_problems() if self.audience.sms else ())]

    def _relay_problems(self) -> list[BadInput]:
        if self.audience.sms or not self.audience.speakers:
            return [BadInput("relay_by_loudspeaker_only", field="channel")]
        return []

    def _sms_problems(self) -> list[BadInput]:
        if self.recording is not None and not self.message:
            return [BadInput("recording_sms_words", field="sms_text")]
        over = len(self.message) - SMS_LENGTH
        if over > 0:
            return [BadInput("sms_too_long", field="sms_text", most=SMS_LENGTH, over=over)]
        if "【" in self.message or "】" in self.message:
            return [BadInput("sms_brackets", field="sms_text")]
        return []

    def _issuer_problems(self) -> list[BadInput]:
        named = {"issuer": self.issuer, "issuer_ref": self.issuer_ref}
        too_long = [field for field, words in named.items() if len(words) > ISSUER_LENGTH]
        return [BadInput("issuer_too_long", field=field, most=ISSUER_LENGTH) for field in too_long]

    def _sound_problems(self) -> list[BadInput]:
        found: list[BadInput] = []
        if not 1 <= self.repeats <= MOST_REPEATS:
            found.append(BadInput("repeats_range", field="repeats", most=MOST_REPEATS))
        if self.volume is not None and not 1 <= self.volume <= 100:
            found.append(BadInput("volume_range", field="volume"))
        if self.speed not in SPEEDS:
            found.append(BadInput("speed_unknown", field="speed"))
        return found

    def _audience_problems(self) -> list[BadInput]:
        try:
            self.audience.checked()
        except BadInput as error:
            return [error]
        return []

    def _time_problems(self, now: datetime, today: date) -> list[BadInput]:
        match self.when:
            case When.CALLED:
                return []
            case When.NOW:
                return self._until_problems(now)
            case When.ONCE:
                return self._once_problems(now) or self._until_problems(self.at or now)
            case When.DAILY:
                return self._daily_problems(today)

    def _until_problems(self, start: datetime) -> list[BadInput]:
        """A message that is over before it begins is not one."""
        over = self.audience.sms and self.sms_until is not None and self.sms_until <= start
        return [BadInput("sms_until_past", field="sms_until")] if over else []

    def _once_problems(self, now: datetime) -> list[BadInput]:
        if self.at is None:
            return [BadInput("time_missing", field="at")]
        if self.at <= now:
            return [BadInput("time_past", field="at")]
        return [BadInput("time_too_far", field="at")] if self.at > now + FURTHEST else []

    def _daily_problems(self, today: date) -> list[BadInput]:
        found = []
        if not _is_clock(self.daily_at):
            found.append(BadInput("daily_time_missing", field="daily_at"))
        if self.last_day is None:
            found.append(BadInput("last_day_missing", field="last_day"))
        elif self.last_day < max(today, self.first_day or today):
            found.append(BadInput("last_day_past", field="last_day"))
        elif self.last_day > today + FURTHEST:
            found.append(BadInput("time_too_far", field="last_day"))
        return found


def _is_clock(text: str) -> bool:
    hour, _, minute = text.partition(":")
    return len(text) == 5 and hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60


def content_hash(announcement: Announcement) -> str:
    """Return the hash over everything that shapes what people hear and read, where and when."""
    a = announcement
    content = {
        "title": a.title,
        "text": a.text,
        "sms_text": a.sms_text,
        "theme": a.theme,
        "audience": a.audience,
        "voice": a.voice,
        "speed": a.speed,
        "repeats": a.repeats,
        "volume": a.volume,
        "when": a.when,
        "at": a.at.astimezone(UTC).isoformat() if a.at else None,
        "daily_at": a.daily_at,
        "first_day": str(a.first_day),
        "last_day": str(a.last_day),
        "audio": a.audio_sha256,
    }
    if a.sms_until:
        content["sms_until"] = a.sms_until.astimezone(UTC).isoformat()
    if a.recording_sha256:
        content["recording"] = [str(a.material_id), a.recording_sha256]
    if a.issuer or a.issuer_ref:
        content["issuer"] = [a.issuer, a.issuer_ref]
    if a.relay_url:
        content["relay"] = [a.relay_url, a.relay_minutes]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
