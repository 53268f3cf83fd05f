"""Reading by language: Chinese by the hub's own rules, English left to the engines, which know its figures."""

import re
from typing import Final

from broadcasts.speech.engine import Language, Script, Segment, VoiceSpec
from broadcasts.speech.pronunciation import Lexicon
from broadcasts.speech.reading import Reading, as_read, to_script
from broadcasts.speech.timing import script_seconds

# Signs within a figure end nothing: 3.5, 14:30, 1,200.
_TOKENS: Final = re.compile(r"(?P<said>(?:[^,;:.!?\n]|(?<=\d)[.:,](?=\d))+)|(?P<pause>[,;:.!?\n]+)")
_UNSAID: Final = re.compile(r"[^\w\s%$£€&+@/'’.:,-]")


def read(text: str, language: Language, lexicon: Lexicon) -> Reading:
    """What will be spoken of it."""
    return Reading(text, text, (), ()) if language is Language.ENGLISH else as_read(text, lexicon)


def script_of(reading: Reading, language: Language, lexicon: Lexicon) -> Script:
    """The reading as an engine is given it."""
    return _english(reading.spoken) if language is Language.ENGLISH else to_script(reading, lexicon)


def seconds_of(reading: Reading, voice: VoiceSpec, lexicon: Lexicon) -> float:
    """How long one pass of the words will last, about."""
    return script_seconds(script_of(reading, voice.language, lexicon), voice)


def _english(text: str) -> Script:
    """Words between pauses, in one segment each: an English voice reads figures by what stands around them."""
    script: list[Segment] = []
    for match in _TOKENS.finditer(text):
        said = " ".join(_UNSAID.sub(" ", match["said"] or "").split())
        if any(c.isalnum() for c in said):
            script.append(Segment("latin", said, said))
        elif match["pause"] and script and script[-1].kind != "pause":
            script.append(Segment("pause", _pause(match["pause"]), match["pause"].strip()))
    return tuple(script)


def _pause(signs: str) -> str:
    found = next((sign for sign in signs if sign in "!?"), "")
    return found or ("." if set(signs) & set(".\n") else ",")
