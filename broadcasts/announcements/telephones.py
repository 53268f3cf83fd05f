"""The telephones of the compose page: single numbers, and how many get a message or do not and why."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.fitting import Fit
from broadcasts.announcements.forms import Form
from broadcasts.delivery.rules import Rules
from broadcasts.sms.letters.choices import choices_in
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.segments import measure, signed
from broadcasts.sms.sending import outbox
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.wording.objecting import carried_by_nobody
from hub.core.errors import BadInput, Problems
from hub.residents import extra
from hub.residents.phones import PhoneSafe


@dataclass(frozen=True, slots=True)
class Texting:
    """The text messages. `cut` characters less would save one part for everybody, and `saved_fen` in all."""

    people: int
    opted_out: int
    landlines: int
    wrong_numbers: int
    away_unasked: int
    away_refused: int
    without_phone: int
    characters: int
    parts: int
    fen: int
    cut: int
    saved_fen: int
    waits: bool
    """At that time of day no ordinary message goes out; it waits for the morning."""
    never: bool
    """It waits for a morning that comes after its end: nobody would get it."""
    choices: tuple[tuple[int, str], ...]
    """The numbered answers the text asks for."""

    @property
    def unreached(self) -> int:
        """Whom the message does not reach, and who has to be told otherwise."""
        return self.landlines + self.wrong_numbers + self.away_refused + self.without_phone


def texting(session: Session, draft: Draft, fit: Fit, rules: Rules, now: datetime) -> Texting:
    """Count whom the messages would reach and what they would cost."""
    found = outbox.reach(session, draft.audience, topic=draft.theme.value)
    settings = rules.sms
    parts, fen = outbox.estimate(draft.message, found.routine, settings)
    length = measure(signed(draft.message, settings.signature), settings.usual_counting)
    shorter = draft.message[: len(draft.message) - length.chars_over] if length.chars_over else draft.message
    less = outbox.estimate(shorter, found.routine, settings)[1]
    cuttable = 0 < length.chars_over < len(draft.message)
    start = fit.start or now
    goes_at = opens_at(start, settings, rules)
    return Texting(
        people=found.routine,
        opted_out=found.opted_out,
        landlines=found.landlines,
        wrong_numbers=found.wrong_numbers,
        away_unasked=found.away_unasked,
        away_refused=found.away_refused,
        without_phone=found.without_phone,
        characters=len(draft.message),
        parts=parts if draft.message else 0,
        fen=fen if draft.message else 0,
        cut=length.chars_over if cuttable else 0,
        saved_fen=fen - less if cuttable else 0,
        waits=goes_at > start,
        never=draft.sms_until is not None and goes_at >= draft.sms_until,
        choices=tuple(choices_in(draft.message).items()),
    )


def opens_at(moment: datetime, settings: SmsSettings, rules: Rules) -> datetime:
    """Return when an ordinary message of that moment goes out: at once, or when the day's time for it begins."""
    local = moment.astimezone(rules.zone)
    if settings.window_from <= local.time() < settings.window_until:
        return moment
    opens = datetime.combine(local.date(), settings.window_from, tzinfo=rules.zone)
    return opens if opens > local else opens + timedelta(days=1)


def typed_in(session: Session, form: Form, *, safe: PhoneSafe, now: datetime) -> Form:
    """Return the form with the numbers that were typed among those it sends to. A wrong one is a mistake."""
    try:
        typed = extra.note_typed(session, form.values.numbers, safe=safe, now=now)
    except (BadInput, Problems) as error:
        problems = error.problems if isinstance(error, Problems) else [error]
        return replace(form, mistakes=(*form.mistakes, *problems))
    audience = form.draft.audience
    both = tuple(dict.fromkeys((*audience.numbers, *typed)))
    return replace(form, draft=replace(form.draft, audience=replace(audience, numbers=both)))


def require_carried(provider: SmsProvider, draft: Draft, settings: SmsSettings) -> None:
    """BadInput when no provider would carry the text message: better said now than when it is needed."""
    if draft.audience.sms and draft.message and carried_by_nobody(provider, draft.message, settings):
        raise BadInput("sms_carried_by_nobody", field="sms_text")
