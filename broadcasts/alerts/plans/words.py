"""The texts of a plan: what is said and written, how it is taken back, how it ends; and what is wrong with them."""

import hashlib
import json
from dataclasses import astuple, dataclass
from typing import Final

from broadcasts.alerts.hazards import Words, wording
from broadcasts.alerts.issuing import check_issuer
from broadcasts.kinds import Colour
from broadcasts.lexicon.usual import words as watched_words
from broadcasts.sms.sending.outbox import check_text
from broadcasts.speech.findings import must_mend
from broadcasts.speech.lint import lint
from hub.core.errors import BadInput

LONGEST: Final = 300
TEXTS: Final = ("speech", "sms", "correction_speech", "correction_sms", "clear_speech", "clear_sms")


@dataclass(frozen=True, slots=True)
class PlanWords:
    """Six texts; `{place}` may stand in each."""

    speech: str
    sms: str
    correction_speech: str
    correction_sms: str
    clear_speech: str
    clear_sms: str

    def at(self, place: str) -> "PlanWords":
        """Return the words with the place filled in."""
        return PlanWords(*(text.replace("{place}", place) for text in astuple(self)))

    @property
    def alert(self) -> Words:
        """What goes out first."""
        return Words(self.speech, self.sms)

    @property
    def correction(self) -> Words:
        """What takes it back."""
        return Words(self.correction_speech, self.correction_sms)

    @property
    def all_clear(self) -> Words:
        """What ends it."""
        return Words(self.clear_speech, self.clear_sms)

    def hash(self, hazard: str, colour: Colour, regions: tuple[str, ...]) -> str:
        """Return what is signed: every word, what it is for, and where."""
        whole = json.dumps([hazard, colour.value, sorted(regions), *astuple(self)], ensure_ascii=False)
        return hashlib.sha256(whole.encode()).hexdigest()

    def mistakes(self, signature: str) -> list[BadInput]:
        """Return what keeps it from being handed in."""
        found: list[BadInput] = []
        for name, text in zip(TEXTS, astuple(self), strict=True):
            found += _one(name, text, signature)
        return found


def with_endings(words: Words, hazard_name: str) -> PlanWords:
    """Return words with the usual correction and all-clear."""
    usual = wording()
    fill = {"hazard": hazard_name}
    back, clear = (usual.correction.filled(fill), usual.all_clear.filled(fill))
    return PlanWords(words.speech, words.sms, back.speech, back.sms, clear.speech, clear.sms)


def _one(name: str, text: str, signature: str) -> list[BadInput]:
    if not text.strip():
        return [BadInput("plan_text_missing", field=name)]
    if len(text) > LONGEST:
        return [BadInput("plan_text_too_long", field=name, most=LONGEST, over=len(text) - LONGEST)]
    plain = text.replace("{place}", "")
    if "{" in plain or "}" in plain:
        return [BadInput("plan_text_blank", field=name)]
    problems = check_issuer([text], field=name)
    if name.endswith("sms"):
        problems += [BadInput(each.code, field=name, **each.params) for each in check_text(text, signature)]
    elif wrong := must_mend(lint(plain, watched=watched_words())):
        problems.append(BadInput("plan_text_must_mend", field=name, word=wrong[0].written[:20]))
    return problems
