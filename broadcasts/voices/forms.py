"""The form that chooses a voice."""

import re

from werkzeug.datastructures import MultiDict

from broadcasts.speech.engine import Language
from broadcasts.voices.listing import parse_key
from broadcasts.voices.service import Wish
from hub.core.errors import BadInput, NotFound

RATES = (110, 130, 150, 170, 190)
PITCHES = (30, 40, 50, 60, 70)
GAINS = (-6, -3, 0, 3)


def language_of(text: str) -> Language:
    """Return the language an address names."""
    try:
        return Language(text)
    except ValueError:
        raise NotFound("language_unknown") from None


def wish_of(form: MultiDict[str, str], language: Language) -> Wish:
    """Return what was chosen. BadInput for what is no number."""
    engine, voice = parse_key(form.get("voice", ""))
    return Wish(
        language=language,
        engine=engine,
        voice=voice,
        rate=round(_number(form, "rate", 150)),
        pitch=round(_number(form, "pitch", 50)),
        gain_db=_number(form, "gain_db", 0),
    )


def _number(form: MultiDict[str, str], field: str, otherwise: float) -> float:
    text = form.get(field, "").strip()
    if not text:
        return otherwise
    if not re.fullmatch(r"[-+]?\d{1,3}(\.\d)?", text, re.ASCII):
        raise BadInput("number_malformed", field=field)
    return float(text)
