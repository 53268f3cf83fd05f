"""Announcements as programs send and get them."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from broadcasts.announcements.drafting import ISSUER_LENGTH, MOST_REPEATS, SMS_LENGTH, TEXT_LENGTH, TITLE_LENGTH, Draft
from broadcasts.announcements.fitting import Verdict
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.outlook import Outlook
from broadcasts.announcements.service import as_draft
from broadcasts.approvals.lifecycle import State
from broadcasts.audience.selection import MOST_NUMBERS, Audience
from broadcasts.kinds import Theme
from broadcasts.lexicon.wire import FindingOut
from broadcasts.relay.addresses import LONGEST_ADDRESS, LONGEST_MINUTES, Relay
from broadcasts.speech.engine import Language
from hub.core.errors import BadInput, Problems
from hub.residents.wanted import Away
from hub.speakers.topics import DEVICE_ID
from hub.web.api import Input, Moment, Output, RegionCode, moment_of, ms, ms_or_none

MOST_REGIONS = 500
Tag = Annotated[str, Field(min_length=1, max_length=20)]
MOST_SPEAKERS = 2000
SpeakerId = Annotated[str, Field(pattern=DEVICE_ID, max_length=32)]
NumberKey = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
SPEED = r"^(slow|normal|fast)$"
ONLY_WITH = {"at": When.ONCE, "daily_at": When.DAILY, "first_day": When.DAILY, "last_day": When.DAILY}


class AnnouncementIn(Input):
    """The words, where, through what and when. A draft may be incomplete; submitting says what is still missing."""

    title: str = Field("", max_length=TITLE_LENGTH)
    text: str = Field("", max_length=TEXT_LENGTH, description="what is spoken")
    sms_text: str = Field("", max_length=SMS_LENGTH, description="empty = the spoken words")
    theme: Theme = Theme.NOTICE
    issuer: str = Field("", max_length=ISSUER_LENGTH, description="whose notice it is, when it is not the writer's own")
    issuer_ref: str = Field("", max_length=ISSUER_LENGTH, description="the number it has there; both for the ledger")
    regions: list[RegionCode] = Field(default=[], max_length=MOST_REGIONS, description="each with everything below it")
    speakers: StrictBool = Field(True, description="whether loudspeakers say it")
    sms: StrictBool = Field(False, description="whether it goes to telephones")
    tags: list[Tag] = Field(
        default=[], max_length=20, description="text messages only to residents who carry one of them"
    )
    every_tag: StrictBool = Field(False, description="only who carries all of `tags`, not one of them")
    without_tags: list[Tag] = Field(default=[], max_length=20, description="no text message to who carries one of them")
    away: Away = Field(
        Away.TOO, description="people away from home: `too`, not at all (`home`), or nobody else (`only`)"
    )
    numbers: list[NumberKey] = Field(
        default=[], max_length=MOST_NUMBERS, description="single telephones besides, by their key (`POST /numbers`)"
    )
    sms_until: Moment | None = Field(
        None, description="after this moment no text message is sent any more; null = a day after it goes out"
    )
    only: list[SpeakerId] = Field(
        default=[],
        max_length=MOST_SPEAKERS,
        description="of the loudspeakers there only these; their villages are the regions when none are named",
    )
    without: list[SpeakerId] = Field(default=[], max_length=MOST_SPEAKERS, description="loudspeakers that stay silent")
    language: Language = Field(Language.MANDARIN, description="what the voice speaks: zh, yue (Cantonese) or en")
    speed: str = Field("normal", pattern=SPEED, description="slow, normal or fast")
    repeats: StrictInt = Field(2, ge=1, le=MOST_REPEATS)
    volume: StrictInt | None = Field(None, ge=1, le=100, description="null = each loudspeaker at its own")
    when: Literal[When.NOW, When.ONCE, When.DAILY] = Field(When.NOW, description="now = as soon as it is approved")
    at: Moment | None = Field(None, description="the moment in milliseconds since 1970 UTC, for `once`")
    daily_at: str = Field("", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$", description="local time HH:MM, for `daily`")
    first_day: date | None = Field(None, description="YYYY-MM-DD, for `daily`; null = today")
    last_day: date | None = Field(None, description="YYYY-MM-DD, for `daily`")
    relay_url: str = Field(
        "",
        max_length=LONGEST_ADDRESS,
        description="a programme to relay: http(s)://…, or line:<name>, an input of the loudspeakers; `text` is then "
        "what sounds when it dies, and may be empty",
    )
    relay_minutes: StrictInt = Field(0, ge=0, le=LONGEST_MINUTES, description="how long; 0 = no relay")
    material_id: UUID | None = Field(
        None,
        description="something of the library: a recording is played instead of reading `text`, which may be empty "
        "then; of words it is noted that they were used",
    )

    def draft(self) -> Draft:
        """Return it as the hub knows it. Problems when something was sent that `when` has no use for."""
        stray = [name for name, when in ONLY_WITH.items() if getattr(self, name) and self.when is not when]
        if stray:
            raise Problems([BadInput("not_with_when", field=name) for name in stray])
        return Draft(
            title=self.title,
            text=self.text,
            sms_text=self.sms_text,
            theme=self.theme,
            issuer=self.issuer,
            issuer_ref=self.issuer_ref,
            sms_until=moment_of(self.sms_until) if self.sms_until is not None else None,
            audience=Audience(
                regions=tuple(self.regions),
                speakers=self.speakers,
                sms=self.sms,
                tags=tuple(self.tags),
                only=tuple(self.only),
                without=tuple(self.without),
                every_tag=self.every_tag,
                without_tags=tuple(self.without_tags),
                away=self.away,
                numbers=tuple(self.numbers),
            ),
            language=self.language,
            speed=self.speed,
            repeats=self.repeats,
            volume=self.volume,
            when=self.when,
            at=None if self.at is None else moment_of(self.at),
            daily_at=self.daily_at,
            first_day=self.first_day,
            last_day=self.last_day,
            relay=Relay(self.relay_url.strip(), self.relay_minutes) if self.relay_url or self.relay_minutes else None,
        )


class AnnouncementOut(Output):
    """An announcement and how far it has come."""

    id: UUID
    state: State
    title: str
    text: str
    sms_text: str
    theme: Theme
    issuer: str
    issuer_ref: str
    regions: list[str]
    speakers: bool
    sms: bool
    tags: list[str]
    only: list[str] = Field(description="of the loudspeakers there only these; empty = all")
    without: list[str]
    every_tag: bool
    without_tags: list[str]
    away: Away
    numbers: list[str] = Field(description="single telephones besides, by their key")
    sms_until: int | None
    language: Language
    speed: str
    repeats: int
    volume: int | None
    when: When
    at: int | None
    daily_at: str
    first_day: date | None
    last_day: date | None
    relay_url: str
    relay_minutes: int
    relay_found: str = Field(description="what the hub heard there: heard, silent, no_sound, away or line")
    relay_level_db: int | None
    material_id: UUID | None = Field(description="what of the library it plays, or where its words come from")
    recording_ms: int = Field(description="one pass of the recording it plays; 0 = words are read")
    version: int
    content_hash: str = Field(description="what an approval is of; empty before it is submitted")
    spoken: str = Field(description="the words as they were read aloud; empty before it is submitted")
    audio_ms: int
    engine: str
    return_reason: str
    written_by: str
    written_at: int
    changed_at: int
    submitted_by: str
    submitted_at: int | None
    approved_by: str
    approved_at: int | None

    @classmethod
    def of(cls, a: Announcement) -> "AnnouncementOut":
        """Return an announcement for showing."""
        draft = as_draft(a)
        return cls(
            id=a.id,
            state=a.state,
            title=a.title,
            text=a.text,
            sms_text=a.sms_text,
            theme=a.theme,
            issuer=a.issuer,
            issuer_ref=a.issuer_ref,
            regions=list(draft.audience.regions),
            speakers=draft.audience.speakers,
            sms=draft.audience.sms,
            tags=list(draft.audience.tags),
            only=list(draft.audience.only),
            without=list(draft.audience.without),
            every_tag=draft.audience.every_tag,
            without_tags=list(draft.audience.without_tags),
            away=draft.audience.away,
            numbers=list(draft.audience.numbers),
            sms_until=ms_or_none(a.sms_until),
            language=draft.language,
            speed=a.speed,
            repeats=a.repeats,
            volume=a.volume,
            when=a.when,
            at=ms_or_none(a.at),
            daily_at=a.daily_at,
            first_day=a.first_day,
            last_day=a.last_day,
            relay_url=a.relay_url,
            relay_minutes=a.relay_minutes,
            relay_found=a.relay_found,
            relay_level_db=a.relay_level_db,
            material_id=a.material_id,
            recording_ms=a.recording_ms,
            version=a.version,
            content_hash=a.content_hash,
            spoken=a.spoken,
            audio_ms=a.audio_ms,
            engine=a.engine,
            return_reason=a.return_reason,
            written_by=a.written_by_name,
            written_at=ms(a.written_at),
            changed_at=ms(a.changed_at),
            submitted_by=a.submitted_by_name,
            submitted_at=ms_or_none(a.submitted_at),
            approved_by=a.approved_by_name,
            approved_at=ms_or_none(a.approved_at),
        )


class ReadAs(Output):
    """A stretch of the text that is read otherwise than it is written."""

    written: str
    spoken: str
    pinyin: str


class Warned(Output):
    """A stretch of the text somebody should look at."""

    start: int
    end: int
    written: str
    message: str


class Texts(Output):
    """The text messages there would be."""

    people: int
    opted_out: int
    characters: int
    parts_each: int
    fen: int = Field(description="the price of all of them")
    cut: int = Field(description="so many characters less would save one part for everybody; 0 = nothing to save")
    saved_fen: int
    waits: bool = Field(description="at that time of day no ordinary message goes out; it waits for the morning")
    never: bool = Field(description="it would wait for a morning after `sms_until`: nobody would get it")
    landlines: int
    wrong_numbers: int
    away_unasked: int = Field(description="away from home and not asked yet: get emergencies only")
    away_refused: int = Field(description="away from home and want nothing")
    without_phone: int = Field(description="residents without any number")
    choices: dict[int, str] = Field(description="the numbered answers the text asks for")


class Timing(Output):
    """Whether the time fits."""

    verdict: Verdict
    start: int | None
    free: int | None = Field(description="the next time that would be free, where this one is not")


class Preview(Output):
    """What would happen."""

    spoken: str
    changes: list[ReadAs]
    warnings: list[Warned]
    findings: list[FindingOut] = Field(description="what to say otherwise; `must` keeps it from being submitted")
    seconds: int = Field(description="tone and repeats included")
    exact: bool = Field(description="false = estimated; the recording is made when it is submitted")
    speakers: int
    offline: int
    residents: int
    sms: Texts | None
    timing: Timing

    @classmethod
    def of(cls, found: Outlook) -> "Preview":
        """Return an outlook for showing."""
        sounding, fit, texts = found.sounding, found.fit, found.texting
        return cls(
            spoken="".join(piece.spoken for piece in sounding.pieces),
            changes=[ReadAs(written=p.written or "", spoken=p.spoken, pinyin=p.pinyin) for p in sounding.changed],
            warnings=[
                Warned(start=w.start, end=w.end, written=w.written, message=w.message) for w in sounding.cautions
            ],
            findings=[FindingOut.of(finding) for finding in sounding.findings],
            seconds=round(sounding.total_ms / 1000),
            exact=sounding.exact,
            speakers=found.reach.speakers,
            offline=found.reach.offline,
            residents=found.reach.residents,
            sms=None
            if texts is None
            else Texts(
                people=texts.people,
                opted_out=texts.opted_out,
                characters=texts.characters,
                parts_each=texts.parts,
                fen=texts.fen,
                cut=texts.cut,
                saved_fen=texts.saved_fen,
                waits=texts.waits,
                never=texts.never,
                landlines=texts.landlines,
                wrong_numbers=texts.wrong_numbers,
                away_unasked=texts.away_unasked,
                away_refused=texts.away_refused,
                without_phone=texts.without_phone,
                choices=dict(texts.choices),
            ),
            timing=Timing(verdict=fit.verdict, start=ms_or_none(fit.start), free=ms_or_none(fit.free)),
        )
