"""Campaigns as programs send and get them."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from broadcasts.announcements.drafting import SMS_LENGTH, TEXT_LENGTH, TITLE_LENGTH
from broadcasts.approvals.rounds import REASON_LENGTH
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Theme
from broadcasts.texts.shelf import Text
from hub.web.api import Input, Output, PageQuery, RegionCode, ms, ms_or_none
from schedules.campaigns.drafting import (
    DEPARTMENT_LENGTH,
    MOST_A_DAY,
    MOST_DEPARTMENTS,
    MOST_REPEATS,
    MOST_TARGET,
    MOST_TEXTS,
    MOST_TIMES,
    CampaignDraft,
    Words,
)
from schedules.campaigns.models import Campaign, CampaignState
from schedules.campaigns.progress import Progress, VillageLine

CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
Clock = Annotated[str, Field(pattern=CLOCK)]
Department = Annotated[str, Field(min_length=1, max_length=DEPARTMENT_LENGTH)]


class CampaignPath(Input):
    """Which campaign."""

    campaign_id: UUID


class WordsIn(Input):
    """One of the texts."""

    title: str = Field("", max_length=TITLE_LENGTH)
    text: str = Field("", max_length=TEXT_LENGTH, description="what is spoken")
    sms_text: str = Field("", max_length=SMS_LENGTH, description="empty = the spoken words")


class CampaignIn(Input):
    """A campaign. A draft may be incomplete; submitting says what is still missing."""

    title: str = Field("", max_length=TITLE_LENGTH)
    theme: Theme = Theme.SAFETY
    departments: list[Department] = Field(default=[], max_length=MOST_DEPARTMENTS)
    regions: list[RegionCode] = Field(default=[], max_length=500)
    tags: list[str] = Field(default=[], max_length=20, description="groups the text messages are narrowed to")
    first_day: date | None = None
    last_day: date | None = None
    times: list[Clock] = Field(default=[], max_length=MOST_TIMES, description="local times at which one text sounds")
    every_days: int = Field(1, ge=1, le=31)
    most_a_day: int = Field(2, ge=1, le=MOST_A_DAY, description="texts of all campaigns a village hears on one day")
    target: int = Field(10, ge=1, le=MOST_TARGET, description="how often every village is to have heard it at the end")
    repeats: int = Field(1, ge=1, le=MOST_REPEATS)
    speed: str = Field("normal", pattern="^(slow|normal|fast)$")
    sms_at: str = Field("", pattern=rf"^$|{CLOCK}", description="local time of messages, each text once; empty = none")
    texts: list[WordsIn] = Field(default=[], max_length=MOST_TEXTS)

    def draft(self) -> CampaignDraft:
        """Return it as the hub knows it."""
        return CampaignDraft(
            title=self.title,
            theme=self.theme,
            departments=tuple(self.departments),
            audience=Audience(tuple(self.regions), tags=tuple(self.tags)),
            first_day=self.first_day,
            last_day=self.last_day,
            times=tuple(self.times),
            every_days=self.every_days,
            most_a_day=self.most_a_day,
            target=self.target,
            repeats=self.repeats,
            speed=self.speed,
            sms_at=self.sms_at,
            texts=tuple(Words(w.title, w.text, w.sms_text) for w in self.texts),
        )


class CampaignWords(Output):
    """One of the texts."""

    id: UUID
    title: str
    text: str
    sms_text: str
    to_check: str = Field(description="what is local in it and has to be checked; empty = nothing")
    audio_ms: int
    announcement_id: UUID | None = Field(description="what stands for it once it is approved")
    sms_announcement_id: UUID | None


class CampaignOut(Output):
    """A campaign and how far it has come."""

    id: UUID
    state: CampaignState
    title: str
    theme: Theme
    departments: list[str]
    regions: list[str]
    tags: list[str]
    first_day: date | None
    last_day: date | None
    times: list[str]
    every_days: int
    most_a_day: int
    target: int
    repeats: int
    speed: str
    sms_at: str
    texts: list[CampaignWords]
    content_hash: str = Field(description="what an approval is of; empty before it is submitted")
    return_reason: str
    written_by: str
    written_at: int
    submitted_by: str
    approved_by: str
    approved_at: int | None
    stopped_at: int | None

    @classmethod
    def of(cls, c: Campaign) -> "CampaignOut":
        """Return a campaign for showing."""
        audience = Audience.from_json(c.audience)
        texts = [
            CampaignWords(
                id=t.id,
                title=t.title,
                text=t.text,
                sms_text=t.sms_text,
                to_check=t.to_check,
                audio_ms=t.audio_ms,
                announcement_id=t.announcement_id,
                sms_announcement_id=t.sms_announcement_id,
            )
            for t in c.texts
        ]
        return cls(
            id=c.id,
            state=c.state,
            title=c.title,
            theme=c.theme,
            departments=list(c.departments),
            regions=list(audience.regions),
            tags=list(audience.tags),
            first_day=c.first_day,
            last_day=c.last_day,
            times=list(c.times),
            every_days=c.every_days,
            most_a_day=c.most_a_day,
            target=c.target,
            repeats=c.repeats,
            speed=c.speed,
            sms_at=c.sms_at,
            texts=texts,
            content_hash=c.content_hash,
            return_reason=c.return_reason,
            written_by=c.written_by_name,
            written_at=ms(c.written_at),
            submitted_by=c.submitted_by_name,
            approved_by=c.approved_by_name,
            approved_at=ms_or_none(c.approved_at),
            stopped_at=ms_or_none(c.stopped_at),
        )


class Campaigns(Output):
    """One page of campaigns, newest first."""

    items: list[CampaignOut]
    next: str | None


class CampaignsQuery(PageQuery):
    """Which campaigns."""

    state: CampaignState | None = None


class CampaignOutlook(Output):
    """What it would add to the timetable, were it approved now; minutes are a village's that hears all of it."""

    plays: int
    most_minutes_a_day: float
    total_minutes: float
    daily_limit_minutes: int
    moved: int = Field(description="plays that wait some minutes because something else sounds")
    left_out: int = Field(description="times for which there is no room, or when the villages hear enough already")
    exact: bool = Field(description="whether lengths are those of recordings; before, they are estimates")


class CampaignVillage(Output):
    """One village."""

    region: str
    name: str
    out: int = Field(description="broadcasts meant for it")
    heard: int = Field(description="broadcasts of which at least one loudspeaker there let the beginning be heard")
    whole: int = Field(description="broadcasts that every loudspeaker there played to the end")
    texts: int = Field(description="text messages that arrived")
    reached: bool

    @classmethod
    def of(cls, v: VillageLine) -> "CampaignVillage":
        """Return a village for showing."""
        return cls(
            region=v.code, name=v.name, out=v.out, heard=v.heard, whole=v.whole, texts=v.texts, reached=v.reached
        )


class CampaignProgress(Output):
    """How far it has come, counted from what loudspeakers and telephones reported, in the caller's part."""

    out: int
    to_come: int
    missed: int
    target: int
    villages: list[CampaignVillage]

    @classmethod
    def of(cls, found: Progress) -> "CampaignProgress":
        """Return it for showing."""
        return cls(
            out=found.out,
            to_come=found.to_come,
            missed=found.missed,
            target=found.target,
            villages=[CampaignVillage.of(v) for v in found.villages],
        )


class CampaignSeen(Input):
    """What the approver was looking at."""

    content_hash: str = Field(min_length=64, max_length=64, description="`content_hash` of the campaign as read")


class CampaignReason(Input):
    """Why it is returned."""

    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


class ReadyText(Output):
    """A text that comes with the program. 〔…〕 is to be filled in."""

    key: str
    shelf: str
    theme: Theme
    title: str
    text: str
    sms_text: str
    check: str = Field(description="what is local in it and has to be checked; empty = nothing")
    blanks: list[str]

    @classmethod
    def of(cls, t: Text) -> "ReadyText":
        """Return a text for showing."""
        return cls(
            key=t.key,
            shelf=t.shelf,
            theme=t.theme,
            title=t.title,
            text=t.text,
            sms_text=t.sms,
            check=t.check,
            blanks=[b.name for b in t.blanks],
        )


class ReadyTexts(Output):
    """All of them."""

    items: list[ReadyText]
