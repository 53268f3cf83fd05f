"""What somebody typed about a campaign, checked; and the hash that an approval is of."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, timedelta

from broadcasts.announcements.drafting import SMS_LENGTH, SPEEDS, TEXT_LENGTH, TITLE_LENGTH, Draft
from broadcasts.announcements.models import When
from broadcasts.announcements.wording import unfit
from broadcasts.audience.selection import Audience
from broadcasts.delivery.quiet import QuietHours
from broadcasts.kinds import Theme
from broadcasts.sms.settings import SmsSettings
from broadcasts.speech.findings import Watched
from hub.core.errors import BadInput
from schedules.campaigns.models import Campaign
from schedules.campaigns.plan import Period, too_close

MOST_TEXTS = 12
MOST_TIMES = 6
MOST_A_DAY = 6
MOST_TARGET = 999
MOST_DEPARTMENTS, DEPARTMENT_LENGTH = 6, 20
MOST_REPEATS = 3
LONGEST = timedelta(days=366)
APART = timedelta(minutes=15)
NOBODY = Audience(())


@dataclass(frozen=True, slots=True)
class Words:
    """One text as it was typed."""

    title: str = ""
    text: str = ""
    sms_text: str = ""
    to_check: str = ""

    @property
    def settled(self) -> "Words":
        """The same with blanks cut off."""
        return replace(self, title=self.title.strip(), text=self.text.strip(), sms_text=self.sms_text.strip())

    @property
    def empty(self) -> bool:
        """Whether nothing was typed."""
        return not (self.title.strip() or self.text.strip() or self.sms_text.strip())


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """The fields of the form as values. It may be incomplete; `problems` says what submitting still needs."""

    title: str = ""
    theme: Theme = Theme.SAFETY
    departments: tuple[str, ...] = ()
    audience: Audience = NOBODY
    first_day: date | None = None
    last_day: date | None = None
    times: tuple[str, ...] = ()
    every_days: int = 1
    most_a_day: int = 2
    target: int = 0
    repeats: int = 1
    speed: str = "normal"
    sms_at: str = ""
    texts: tuple[Words, ...] = ()

    @property
    def settled(self) -> "CampaignDraft":
        """The same as it is stored: blanks cut off, texts nobody wrote left out."""
        texts = (w.settled for w in self.texts)
        return replace(
            self,
            title=self.title.strip()[:60],
            departments=tuple(dict.fromkeys(d.strip() for d in self.departments if d.strip())),
            audience=replace(self.audience, sms=bool(self.sms_at)),
            times=tuple(sorted(set(self.times))),
            texts=tuple(w for w in texts if not w.empty),
        )

    @property
    def period(self) -> Period | None:
        """When it sounds; None while that is not complete."""
        if self.first_day is None or self.last_day is None or not self.times or self.last_day < self.first_day:
            return None
        return Period(self.first_day, self.last_day, self.times, max(1, self.every_days), self.most_a_day)

    def spoken(self, words: Words) -> Draft:
        """Return one of the texts as an announcement for loudspeakers."""
        return Draft(
            title=words.title,
            text=words.text,
            sms_text="",
            theme=self.theme,
            audience=replace(self.audience, sms=False, tags=()),
            speed=self.speed,
            repeats=self.repeats,
            when=When.CALLED,
        )

    def texted(self, words: Words) -> Draft:
        """Return one of the texts as an announcement for telephones."""
        return Draft(
            title=words.title,
            text=words.text,
            sms_text=words.sms_text,
            theme=self.theme,
            audience=Audience(self.audience.regions, speakers=False, sms=True, tags=self.audience.tags),
            when=When.CALLED,
        )

    def problems(
        self, *, today: date, quiet: QuietHours, sms: SmsSettings, watched: tuple[Watched, ...]
    ) -> list[BadInput]:
        """Return everything that keeps it from being submitted."""
        return [
            *self._name_problems(),
            *self._day_problems(today),
            *self._time_problems(quiet),
            *self._amount_problems(),
            *self._sms_problems(sms),
            *self._text_problems(watched),
        ]

    def _name_problems(self) -> list[BadInput]:
        found: list[BadInput] = []
        if not self.title:
            found.append(BadInput("title_missing", field="title"))
        elif len(self.title) > TITLE_LENGTH:
            over = len(self.title) - TITLE_LENGTH
            found.append(BadInput("title_too_long", field="title", most=TITLE_LENGTH, over=over))
        if len(self.departments) > MOST_DEPARTMENTS or any(len(d) > DEPARTMENT_LENGTH for d in self.departments):
            found.append(BadInput("campaign_departments", field="departments", most=MOST_DEPARTMENTS))
        if not self.audience.regions:
            found.append(BadInput("no_region_chosen", field="region"))
        return found

    def _day_problems(self, today: date) -> list[BadInput]:
        if self.first_day is None or self.last_day is None:
            return [BadInput("campaign_days_missing", field="last_day" if self.first_day else "first_day")]
        if self.last_day < self.first_day:
            return [BadInput("campaign_days_order", field="last_day")]
        if self.last_day < today:
            return [BadInput("last_day_past", field="last_day")]
        if self.last_day - self.first_day > LONGEST or self.first_day > today + LONGEST:
            return [BadInput("time_too_far", field="last_day")]
        return []

    def _time_problems(self, quiet: QuietHours) -> list[BadInput]:
        if not self.times:
            return [BadInput("campaign_times_missing", field="times")]
        if len(self.times) > MOST_TIMES:
            return [BadInput("campaign_times_many", field="times", most=MOST_TIMES)]
        if too_close(self.times, APART):
            return [BadInput("campaign_times_close", field="times", least=APART.seconds // 60)]
        hushed = [t for t in self.times if quiet.holds_minute(int(t[:2]) * 60 + int(t[3:]))]
        return [BadInput("campaign_times_quiet", field="times", times="、".join(hushed))] if hushed else []

    def _amount_problems(self) -> list[BadInput]:
        bounds = {"every_days": 31, "most_a_day": MOST_A_DAY, "target": MOST_TARGET, "repeats": MOST_REPEATS}
        found = [
            BadInput("campaign_amount", field=name, most=most)
            for name, most in bounds.items()
            if not 1 <= getattr(self, name) <= most
        ]
        if self.speed not in SPEEDS:
            found.append(BadInput("speed_unknown", field="speed"))
        return found

    def _sms_problems(self, sms: SmsSettings) -> list[BadInput]:
        start, end = f"{sms.window_from:%H:%M}", f"{sms.window_until:%H:%M}"
        if self.sms_at and not start <= self.sms_at < end:
            return [BadInput("campaign_sms_window", field="sms_at", start=start, end=end)]
        return []

    def _text_problems(self, watched: tuple[Watched, ...]) -> list[BadInput]:
        if not self.texts:
            return [BadInput("campaign_texts_missing", field="text-0")]
        if len(self.texts) > MOST_TEXTS:
            return [BadInput("campaign_texts_many", field="text-0", most=MOST_TEXTS)]
        return [p for n, words in enumerate(self.texts) for p in self._of_text(n, words, watched)]

    def _of_text(self, n: int, words: Words, watched: tuple[Watched, ...]) -> list[BadInput]:
        found: list[BadInput] = []
        if not words.title:
            found.append(BadInput("title_missing", field=f"title-{n}"))
        elif len(words.title) > TITLE_LENGTH:
            over = len(words.title) - TITLE_LENGTH
            found.append(BadInput("title_too_long", field=f"title-{n}", most=TITLE_LENGTH, over=over))
        if not words.text:
            found.append(BadInput("text_missing", field=f"text-{n}"))
        elif len(words.text) > TEXT_LENGTH:
            over = len(words.text) - TEXT_LENGTH
            found.append(BadInput("text_too_long", field=f"text-{n}", most=TEXT_LENGTH, over=over))
        if self.sms_at and len(words.sms_text or words.text) > SMS_LENGTH:
            over = len(words.sms_text or words.text) - SMS_LENGTH
            found.append(BadInput("sms_too_long", field=f"sms-{n}", most=SMS_LENGTH, over=over))
        if "【" in words.sms_text or "】" in words.sms_text:
            found.append(BadInput("sms_brackets", field=f"sms-{n}"))
        names = {"text": f"text-{n}", "sms_text": f"sms-{n}"}
        wrong = (*unfit(self.spoken(words), watched), *(unfit(self.texted(words), watched) if words.sms_text else ()))
        fields = {(p.code, names[p.field]): p for p in wrong}
        return [*found, *(BadInput(p.code, field=field, **p.params) for (_, field), p in fields.items())]


def as_draft(campaign: Campaign) -> CampaignDraft:
    """Return its fields as the form has them."""
    c = campaign
    return CampaignDraft(
        title=c.title,
        theme=c.theme,
        departments=tuple(c.departments),
        audience=Audience.from_json(c.audience),
        first_day=c.first_day,
        last_day=c.last_day,
        times=tuple(c.times),
        every_days=c.every_days,
        most_a_day=c.most_a_day,
        target=c.target,
        repeats=c.repeats,
        speed=c.speed,
        sms_at=c.sms_at,
        texts=tuple(Words(t.title, t.text, t.sms_text, t.to_check) for t in c.texts),
    )


def content_hash(campaign: Campaign) -> str:
    """Return the hash over everything that shapes what people hear and read, where and when."""
    c = campaign
    content = [
        c.title, c.theme, c.departments, c.audience, str(c.first_day), str(c.last_day), c.times, c.every_days,
        c.most_a_day, c.target, c.repeats, c.speed, c.sms_at,
        [[t.title, t.text, t.sms_text, t.audio_sha256] for t in c.texts],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
