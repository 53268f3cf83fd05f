"""What was chosen and typed on the emergency desk."""

from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The last step: the choice as it was shown, the number that was typed, and the key of this very form."""

    choice: Choice
    form_key: str
    typed: int


def choice(form: Form) -> Choice:
    """Read the choice from an address or a form; what makes no sense counts as not chosen.

    A pressed tile is a button: its value comes after the hidden one with the old choice, so the last one counts.
    """
    colour = _last(form, "colour")
    return Choice(
        hazard=_last(form, "hazard"),
        colour=Colour(colour) if colour in set(Colour) else Colour.RED,
        area=_last(form, "area"),
        villages=tuple(dict.fromkeys(form.getlist("village"))),
        sms=_last(form, "sms") != "0",
    )


def pressed(form: Form) -> bool:
    """Return whether a tile or level was just pressed, and not a place ticked."""
    return form.get("before", "") != f"{_last(form, 'hazard')} {_last(form, 'colour')}"


def confirmation(form: Form) -> Confirmation:
    """Read the last step. BadInput for a number that is none, or a form without its key."""
    key = form.get("form_key", "")
    if not 8 <= len(key) <= 40:
        raise BadInput("form_too_old")
    typed = "".join(form.get("speakers", "").split())
    if not typed:
        raise BadInput("alert_number_missing", field="speakers")
    if not (typed.isdecimal() and len(typed) <= 7):
        raise BadInput("number_malformed", field="speakers")
    return Confirmation(choice(form), key, int(typed))


def again(given: Choice, *, regions: tuple[str, ...]) -> Choice:
    """Return the same choice for exactly these regions."""
    if len(regions) == 1:
        return replace(given, area=regions[0], villages=())
    return replace(given, area=OWN, villages=regions)


def _last(form: Form, name: str) -> str:
    values = form.getlist(name)
    return values[-1] if values else ""
