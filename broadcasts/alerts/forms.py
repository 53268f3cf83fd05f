"""What was chosen and typed on the emergency desk."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from werkzeug.datastructures import MultiDict

from broadcasts.kinds import Colour
from hub.core.errors import BadInput

OWN = "own"
"""The area that says: the villages ticked below."""
Form = MultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """What has been chosen so far; nothing of it is checked against the county yet.

    `area` is a region code, OWN, or empty while nobody has chosen.
    """

    hazard: str = ""
    colour: Colour = Colour.RED
    area: str = ""
    villages: tuple[str, ...] = ()
    sms: bool = True
    free: bool = False
    """Nobody has chosen an area by hand: the one of the plan is shown."""

    @property
    def shown(self) -> str:
        """The area as the form remembers it, to see later whether somebody has chosen another."""
        return " ".join([self.area, *sorted(self.villages)])


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The last step: the choice as it was shown, the number that was typed, and the key of this very form."""

    choice: Choice
    form_key: str
    typed: int
    speech: str = ""
    sms_text: str = ""
    """The words as they stood in the form, perhaps changed."""
    issuer: str = ""
    issuer_ref: str = ""
    follows: str = ""
    opened_at: datetime | None = None
    mistyped: int = 0


def choice(form: Form) -> Choice:
    """Read the choice from an address or a form; what makes no sense counts as not chosen.

    A pressed tile is a button: its value comes after the hidden one with the old choice, so the last one counts.
    """
    colour = _last(form, "colour")
    found = Choice(
        hazard=_last(form, "hazard"),
        colour=Colour(colour) if colour in set(Colour) else Colour.RED,
        area=_last(form, "area"),
        villages=tuple(dict.fromkeys(form.getlist("village"))),
        sms=_last(form, "sms") != "0",
    )
    untouched = form.get("shown", "") == found.shown and form.get("kept") != "1"
    return replace(found, free=not found.area or untouched)


def pressed(form: Form) -> bool:
    """Return whether a tile or level was just pressed, and not a place ticked."""
    return form.get("before", "") != f"{_last(form, 'hazard')} {_last(form, 'colour')}"


def confirmation(form: Form) -> Confirmation:
    """Read the last step. BadInput for a number that is none, or a form without its key."""
    key = form.get("form_key", "")
    if not 8 <= len(key) <= 40:
        raise BadInput("form_too_old")
    return Confirmation(
        choice(form),
        key,
        typed_number(form),
        speech=form.get("speech", "").strip(),
        sms_text=form.get("sms_text", "").strip(),
        issuer=form.get("issuer", "").strip()[:60],
        issuer_ref=form.get("issuer_ref", "").strip()[:120],
        follows=form.get("follows", ""),
        opened_at=opened(form),
        mistyped=mistyped(form),
    )


def typed_number(form: Form) -> int:
    """Read the number of loudspeakers that was typed."""
    typed = "".join(form.get("speakers", "").split())
    if not typed:
        raise BadInput("alert_number_missing", field="speakers")
    if not (typed.isdecimal() and len(typed) <= 7):
        raise BadInput("number_malformed", field="speakers")
    return int(typed)


def opened(form: Form) -> datetime | None:
    """Read when the desk was opened, seconds since 1970; None for nonsense. It is shown in a drill's result."""
    text = form.get("opened", "")
    return datetime.fromtimestamp(int(text), UTC) if text.isdecimal() and len(text) <= 10 else None


def mistyped(form: Form) -> int:
    """Read how often the number was typed wrongly before."""
    text = form.get("mistyped", "")
    return int(text) if text.isdecimal() and len(text) <= 3 else 0


def again(given: Choice, *, regions: tuple[str, ...]) -> Choice:
    """Return the same choice for exactly these regions."""
    if len(regions) == 1:
        return replace(given, area=regions[0], villages=())
    return replace(given, area=OWN, villages=regions)


def _last(form: Form, name: str) -> str:
    values = form.getlist(name)
    return values[-1] if values else ""
