"""The compose form: what was typed, kept as typed, and what it means."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid6 import uuid7
from werkzeug.datastructures import MultiDict

from broadcasts.announcements.drafting import SPEEDS, Draft
from broadcasts.announcements.models import When
from broadcasts.announcements.moments import usual_times
from broadcasts.announcements.ready import ready_made
from broadcasts.audience.selection import MOST_NUMBERS, Audience
from broadcasts.delivery.quiet import QuietHours
from broadcasts.kinds import Theme
from broadcasts.relay.addresses import Relay
from broadcasts.speech.engine import Language
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, Problems
from hub.regions.tree import path_of
from hub.residents.wanted import Away
from hub.speakers.topics import is_device_id

T = TypeVar("T")
LONGEST_TEXT = 20_000
MOST_TAGS, TAG_LENGTH = 20, 20
FIELD_OF = {"daily_at": "at", "sms_until": "until_at", "without_tags": "without_tag"}
FIELD_OF |= dict.fromkeys(("code", "only", "without"), "region")
"""Inputs that have another name in the form."""
WORDS, RECORDING, RELAY = "words", "recording", "relay"
"""What is broadcast: words that somebody writes, a recording of the library, or a programme from elsewhere."""
_CLOCK = re.compile(r"(\d{1,2})[:：点](\d{2})分?")
_DAY = re.compile(r"(2\d{3})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


@dataclass(frozen=True, slots=True)
class Values:
    """Every input of the form as it was typed, so that a refused form comes back untouched."""

    title: str = ""
    text: str = ""
    sms_text: str = ""
    theme: str = Theme.NOTICE.value
    language: str = Language.MANDARIN.value
    speed: str = "normal"
    repeats: str = "2"
    volume: str = ""
    when: str = When.ONCE.value
    day: str = ""
    at: str = ""
    first_day: str = ""
    last_day: str = ""
    regions: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("speakers",)
    tags: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    """Loudspeakers that stood in the form to be ticked; `ticked` are those of them that are meant."""
    ticked: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    every_tag: str = ""
    away: str = Away.TOO.value
    numbers: str = ""
    """Single telephones as they were typed; `kept` are those known already, by their hashes."""
    kept: tuple[str, ...] = ()
    until_day: str = ""
    until_at: str = ""
    material: str = ""
    """The recording of the library that is played."""
    origin: str = ""
    """The text of the library that the words come from."""
    what: str = WORDS
    issuer: str = ""
    issuer_ref: str = ""
    relay_url: str = ""
    relay_minutes: str = "30"
    sms_template: str = ""
    blanks_of: str = ""  # into which ready-made text `blanks` were typed
    blanks: tuple[str, ...] = ()


LISTS = {
    "regions": "region",
    "channels": "channel",
    "tags": "tag",
    "listed": "listed",
    "ticked": "horn",
    "only": "only",
    "without": "without",
    "without_tags": "without_tag",
    "kept": "kept",
    "blanks": "blank",
}
TEXTS = tuple(f.name for f in fields(Values) if f.name not in LISTS)


@dataclass(frozen=True, slots=True)
class Form:
    """A form that came in: whose draft it is, what was typed, what that means, and what could not be understood.

    `heard` is the recording the player on the page holds; `was` what stood there before a ready-made text was taken.
    """

    id: UUID
    values: Values
    draft: Draft
    mistakes: tuple[BadInput, ...] = ()
    heard: str = ""
    was: tuple[str, str] | None = None

    def problems(self, *, now: datetime, zone: ZoneInfo) -> list[BadInput]:
        """Return everything that keeps it from being submitted, one a field."""
        found = [*self.mistakes, *self.draft.problems(now=now, today=now.astimezone(zone).date())]
        if any(p.field == "material" for p in self.mistakes):
            found = [p for p in found if p.code != "text_missing"]
        if any(p.field in ("day", "at") for p in self.mistakes):
            found = [p for p in found if p.code not in ("time_missing", "daily_time_missing")]
        first: dict[str, BadInput] = {}
        for problem in found:
            first.setdefault(in_form(problem), problem)
        return list(first.values())

    def raise_mistakes(self) -> None:
        """Raise Problems if something was not understood or is not theirs to choose."""
        if self.mistakes:
            raise Problems(list(self.mistakes))


def in_form(problem: BadInput) -> str:
    """Return the input that a problem belongs to."""
    return FIELD_OF.get(problem.field, problem.field)


def from_request(form: MultiDict[str, str], actor: Actor, zone: ZoneInfo, today: date) -> Form:
    """Read a form that came in."""
    texts = {name: _plain(form.get(name, getattr(Values(), name))) for name in TEXTS}
    lists = {name: tuple(form.getlist(sent)) for name, sent in LISTS.items()}
    was = (_plain(form["was_title"]), _plain(form["was_text"])) if form.get("was_text") else None
    values = Values(**texts, **lists)  # type: ignore[arg-type]
    understood = understand(values, actor, zone, today)
    return replace(understood, id=as_id(form.get("id", "")) or uuid7(), heard=form.get("heard", ""), was=was)


def understand(values: Values, actor: Actor, zone: ZoneInfo, today: date) -> Form:
    """Return what was typed as a draft, and what could not be understood. Regions of others are left out."""
    reader = _Reader()
    only, without = horns_of(values)
    regions = tuple(code for code in values.regions if reader.region(code, actor))
    when = reader.choice(_chosen_when, values.when, "when_unknown", "when")
    day, at = reader.day(values.day, "day"), reader.clock(values.at)
    draft = Draft(
        title=values.title.strip(),
        text=reader.text(values.text, "text"),
        sms_text=reader.text(values.sms_text, "sms_text"),
        theme=reader.choice(Theme, values.theme, "theme_unknown", "theme") or Theme.NOTICE,
        audience=Audience(
            regions=regions,
            speakers="speakers" in values.channels,
            sms="sms" in values.channels,
            tags=tuple(tag[:TAG_LENGTH] for tag in values.tags[:MOST_TAGS] if tag.strip()),
            only=only,
            without=without,
            every_tag=values.every_tag == "1",
            without_tags=tuple(tag[:TAG_LENGTH] for tag in values.without_tags[:MOST_TAGS] if tag.strip()),
            away=reader.choice(Away, values.away, "away_unknown", "away") or Away.TOO,
            numbers=values.kept[:MOST_NUMBERS],
        ),
        sms_until=reader.until(values, day or today, zone),
        language=reader.choice(Language, values.language, "language_unknown", "language") or Language.MANDARIN,
        speed=reader.speed(values.speed),
        repeats=reader.number(values.repeats, "repeats", 2),
        volume=reader.number(values.volume, "volume", 50) if values.volume.strip() else None,
        when=when or When.NOW,
        at=datetime.combine(day, at, tzinfo=zone).astimezone(UTC) if day and at else None,
        daily_at=f"{at:%H:%M}" if at else "",
        first_day=reader.day(values.first_day, "first_day") or today,
        last_day=reader.day(values.last_day, "last_day"),
        relay=reader.relay(values) if values.what == RELAY else None,
        issuer=values.issuer.strip(),
        issuer_ref=values.issuer_ref.strip(),
    )
    return Form(id=uuid7(), values=values, draft=draft, mistakes=tuple(reader.about(draft)))


def _chosen_when(value: str) -> When:
    if value == When.CALLED:
        raise ValueError(value)
    return When(value)


def horns_of(values: Values) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which loudspeakers are chosen one by one, and which are left out.

    What stood in the form counts as it was ticked; what did not, because the page lists only so many, as it was.
    """
    listed, ticked = set(values.listed), set(values.listed) & set(values.ticked)
    known = [one for one in dict.fromkeys((*values.only, *values.without, *values.listed)) if is_device_id(one)]
    if values.only:
        return tuple(one for one in known if one in ticked or (one in values.only and one not in listed)), ()
    return (), tuple(one for one in known if one not in ticked)


def fresh(args: Mapping[str, str], actor: Actor, regions: tuple[str, ...], *, now: datetime, quiet: QuietHours) -> Form:
    """Return the form of a new announcement. `args` may bring a ready-made text, a day, a time, a region."""
    offered = usual_times(now, quiet)
    today = now.astimezone(quiet.zone).date()
    _, at, day = offered[0] if offered else (0, "", today)
    values = Values(
        day=args.get("day", str(day)),
        at=args.get("at", at),
        first_day=args.get("day", str(today)),
        regions=(args["region"],) if args.get("region") else regions,
    )
    form = replace(understand(values, actor, quiet.zone, today), mistakes=())
    form = replace(form, values=replace(values, regions=form.draft.audience.regions))
    return taken(form, args["ready"]) if args.get("ready") else form


def copied(draft: Draft, form: Form, actor: Actor, zone: ZoneInfo) -> Form:
    """Return a new form with the words and the audience of another announcement, at the new form's time."""
    theirs, mine = from_draft(form.id, draft, zone).values, form.values
    values = replace(
        theirs, when=mine.when, day=mine.day, at=mine.at, first_day=mine.first_day, last_day="", regions=()
    )
    allowed = tuple(code for code in theirs.regions if actor.may(Permission.COMPOSE, path_of(code)))
    understood = understand(replace(values, regions=allowed), actor, zone, form.draft.first_day or date.max)
    return replace(understood, id=form.id)


def from_draft(announcement_id: UUID, draft: Draft, zone: ZoneInfo) -> Form:
    """Return a form that shows a draft."""
    local = draft.at.astimezone(zone) if draft.at else None
    until = draft.sms_until.astimezone(zone) if draft.sms_until else None
    channels = (("speakers",) if draft.audience.speakers else ()) + (("sms",) if draft.audience.sms else ())
    values = Values(
        title=draft.title,
        text=draft.text,
        sms_text=draft.sms_text,
        theme=draft.theme.value,
        language=draft.language.value,
        speed=draft.speed,
        repeats=str(draft.repeats),
        volume="" if draft.volume is None else str(draft.volume),
        when=draft.when.value,
        day=f"{local:%Y-%m-%d}" if local else "",
        at=f"{local:%H:%M}" if local else draft.daily_at,
        first_day=str(draft.first_day or ""),
        last_day=str(draft.last_day or ""),
        regions=draft.audience.regions,
        channels=channels,
        tags=draft.audience.tags,
        only=draft.audience.only,
        without=draft.audience.without,
        without_tags=draft.audience.without_tags,
        every_tag="1" if draft.audience.every_tag else "",
        away=draft.audience.away.value,
        kept=draft.audience.numbers,
        until_day=f"{until:%Y-%m-%d}" if until else "",
        until_at=f"{until:%H:%M}" if until else "",
        what=RELAY if draft.relay else RECORDING if draft.recording else WORDS,
        material=str(draft.recording.material_id) if draft.recording else "",
        origin=str(draft.origin or ""),
        relay_url=draft.relay.url if draft.relay else "",
        relay_minutes=str(draft.relay.minutes) if draft.relay else "30",
        issuer=draft.issuer,
        issuer_ref=draft.issuer_ref,
    )
    return Form(id=announcement_id, values=values, draft=draft)


def taken(form: Form, key: str) -> Form:
    """Return the form with a ready-made text in it; `blank` empties it, `undo` brings back what stood there before."""
    title, text, theme, was = _ready(form, key)
    values = replace(form.values, title=title, text=text, theme=theme.value, origin="")
    draft = replace(form.draft, title=title, text=text, theme=theme, origin=None)
    return replace(form, values=values, draft=draft, was=was)


def mended(form: Form, text: str) -> Form:
    """Return the form with other words in it; what stood there can be brought back."""
    if text == form.draft.text:
        return form
    was = (form.values.title, form.values.text)
    return replace(form, values=replace(form.values, text=text), draft=replace(form.draft, text=text), was=was)


def _ready(form: Form, key: str) -> tuple[str, str, Theme, tuple[str, str] | None]:
    if key == "undo" and form.was:
        return *form.was, form.draft.theme, None
    known = {r.key: r for r in ready_made()}
    typed = form.draft.text and all(form.draft.text != r.text for r in known.values())
    was = (form.values.title, form.values.text) if typed else None
    chosen = known.get(key)
    if chosen is None:
        return "", "", form.draft.theme, was
    return chosen.title, chosen.text, chosen.theme, was


class _Reader:
    """Reads single inputs and remembers what it could not understand."""

    def __init__(self) -> None:
        self.mistakes: list[BadInput] = []

    def about(self, draft: Draft) -> list[BadInput]:
        """Return the mistakes that matter: what a choice has switched off may say anything."""
        idle = {
            When.NOW: {"day", "at", "first_day", "last_day"},
            When.ONCE: {"first_day", "last_day"},
            When.DAILY: {"day"},
        }.get(draft.when, set())
        return [m for m in self.mistakes if m.field not in idle]

    def region(self, code: str, actor: Actor) -> bool:
        try:
            mine = actor.may(Permission.COMPOSE, path_of(code))
        except BadInput:
            mine = False
        if not mine:
            self._wrong("region_unknown", "region", code_given=code[:20])
        return mine

    def choice(self, kind: Callable[[str], T], value: str, code: str, field: str) -> T | None:
        try:
            return kind(value)
        except ValueError:
            self._wrong(code, field)
            return None

    def text(self, value: str, field: str) -> str:
        if len(value) > LONGEST_TEXT:
            self._wrong("text_far_too_long", field, most=LONGEST_TEXT)
        return value.strip()[:LONGEST_TEXT]

    def speed(self, value: str) -> str:
        if value in SPEEDS:
            return value
        self._wrong("speed_unknown", "speed")
        return "normal"

    def number(self, value: str, field: str, otherwise: int) -> int:
        if value.strip().isdecimal() and len(value.strip()) < 6:
            return int(value)
        self._wrong("number_malformed", field)
        return otherwise

    def relay(self, values: Values) -> Relay:
        return Relay(values.relay_url.strip(), self.number(values.relay_minutes, "relay_minutes", 30))

    def clock(self, value: str, field: str = "at") -> time | None:
        return self._matched(_CLOCK, value, time, "time_malformed", field)

    def until(self, values: Values, day: date, zone: ZoneInfo) -> datetime | None:
        at = self.clock(values.until_at, "until_at")
        return datetime.combine(self.day(values.until_day, "until_day") or day, at, tzinfo=zone) if at else None

    def day(self, value: str, field: str) -> date | None:
        return self._matched(_DAY, value, date, "day_malformed", field)

    def _matched(self, pattern: re.Pattern[str], value: str, make: Callable[..., T], code: str, field: str) -> T | None:
        if not value.strip():
            return None
        found = pattern.fullmatch(value.strip())
        with suppress(ValueError):
            if found:
                return make(*(int(part) for part in found.groups()))
        self._wrong(code, field)
        return None

    def _wrong(self, code: str, field: str, **params: object) -> None:
        self.mistakes.append(BadInput(code, field=field, **params))


def reason(form: MultiDict[str, str]) -> str:
    """Return why something is returned: the ticked reasons, then the approver's own words."""
    return "；".join(part for part in (*form.getlist("why"), form.get("reason", "").strip()) if part)


def as_id(text: str) -> UUID | None:
    """Return an id that stands in an address; None if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def chosen_ready(values: Values) -> str:
    """Return the key of the ready-made text that stands in the form, if any."""
    return next((r.key for r in ready_made() if r.text == values.text), "")
