"""How a text will be read aloud: figures and signs as words, with every change marked."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from broadcasts.speech.engine import N_, Script, Segment, VoiceSpec
from broadcasts.speech.pronunciation import BUILT_IN, HAN, Lexicon, dictionary_syllables, knows, parse_pinyin, words_of
from broadcasts.speech.reading_rules import HOLE, RULES, Rule, fold
from broadcasts.speech.sandhi import joined
from broadcasts.speech.timing import script_seconds


@dataclass(frozen=True, slots=True)
class Change:
    """text[start:end] is `written`; `spoken` is said there. `pinyin` is set where the writer chose the reading."""

    start: int
    end: int
    written: str
    spoken: str
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class Caution:
    """Something in text[start:end] that staff should look at; `message` is a msgid."""

    start: int
    end: int
    written: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A text and what will be spoken of it. Changes are in order and do not overlap."""

    text: str
    spoken: str
    changes: tuple[Change, ...]
    warnings: tuple[Caution, ...]

    def origin(self, at: int) -> int:
        """Where in `text` stands what is spoken at `spoken[at]`; within a change, its beginning."""
        shift = 0
        for change in self.changes:
            start = change.start + shift
            if at < start:
                break
            if at < start + len(change.spoken):
                return change.start
            shift += len(change.spoken) - (change.end - change.start)
        return at - shift

    def chosen(self) -> Iterator[tuple[int, int, str]]:
        """(start, end, pinyin) in `spoken` of the readings the writer chose."""
        shift = 0
        for change in self.changes:
            start = change.start + shift
            if change.pinyin:
                yield start, start + len(change.spoken), change.pinyin
            shift += len(change.spoken) - (change.end - change.start)


_INLINE = re.compile(rf"(?P<word>[{HAN}]{{0,20}})[{{｛](?P<pinyin>[^{{}}｛｝\n]{{0,60}})[}}｝]")
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_KEPT = re.compile(rf"[{HAN}{_LATIN}\s]")


@lru_cache(maxsize=512)
def as_read(text: str, lexicon: Lexicon = BUILT_IN) -> Reading:
    """What will be spoken. Never fails: what cannot be read is skipped, marked, and warned about."""
    claims = _Claims(text)
    _claim_inline(claims)
    for start, end, said in lexicon.replacements(claims.open):
        claims.take(start, end, said)
    for rule in RULES:
        claims.apply(rule)
    _claim_unreadable(claims, lexicon)
    return claims.reading()


class _Claims:
    """The text while rules take their parts of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.open = fold(text)
        self._changes: list[Change] = []
        self._cautions: list[Caution] = []

    def apply(self, rule: Rule) -> None:
        for match in rule.pattern.finditer(self.open):
            start, end = match.span("x") if "x" in rule.pattern.groupindex else match.span()
            said = rule.say(match)
            if said is None or HOLE in match.string[start:end]:
                continue
            self.take(start, end, said)
            if rule.caution:
                self.warn(start, end, rule.caution)

    def take(self, start: int, end: int, spoken: str, pinyin: str = "") -> None:
        self._changes.append(Change(start, end, self.text[start:end], spoken, pinyin))
        self.open = self.open[:start] + HOLE * (end - start) + self.open[end:]

    def warn(self, start: int, end: int, message: str) -> None:
        """Neighbours with the same message become one."""
        last = self._cautions[-1] if self._cautions else None
        if last and last.end == start and last.message == message:
            start = self._cautions.pop().start
        self._cautions.append(Caution(start, end, self.text[start:end], message))

    def reading(self) -> Reading:
        changes = sorted((c for c in self._changes if c.written != c.spoken), key=lambda c: c.start)
        spoken, at = [], 0
        for change in changes:
            spoken += [self.text[at : change.start], change.spoken]
            at = change.end
        spoken.append(self.text[at:])
        cautions = tuple(sorted(self._cautions, key=lambda c: c.start))
        return Reading(self.text, "".join(spoken), tuple(changes), cautions)


def _claim_inline(claims: _Claims) -> None:
    """行长{hang2 zhang3}: the reading of the characters before the braces, chosen by the writer."""
    for match in _INLINE.finditer(claims.open):
        wanted = len(match["pinyin"].split())
        word = match["word"][-wanted:] if wanted else ""
        start = match.end("word") - len(word)
        try:
            chosen = " ".join(parse_pinyin(match["pinyin"], word))
        except ValueError:
            claims.take(match.end("word"), match.end(), "")
            claims.warn(
                start, match.end(), N_("花括号里的拼音写得不对，会按平常的读法读。写法像这样：行长{hang2 zhang3}")
            )
            continue
        claims.take(start, match.end(), claims.text[start : match.end("word")], chosen)


def _claim_unreadable(claims: _Claims, lexicon: Lexicon) -> None:
    pronounced = {i for start, end, _ in lexicon.hits(claims.open) for i in range(start, end)}
    for at, char in enumerate(claims.open):
        if char == HOLE or at in pronounced:
            continue
        if _is_han(char):
            if not knows(char):
                claims.take(at, at + 1, "")
                claims.warn(at, at + 1, N_("这个字不会读，会跳过。可以在字后面写上拼音，像这样：㙟{chan3}"))
        elif not _KEPT.match(char) and not unicodedata.category(char).startswith("P"):
            claims.take(at, at + 1, "")
            if unicodedata.category(char).startswith("L"):
                claims.warn(at, at + 1, N_("这种文字读不出来，会跳过"))


_HAN_CHAR = re.compile(f"[{HAN}]")


def _is_han(char: str) -> bool:
    return _HAN_CHAR.match(char) is not None


_TOKENS = re.compile(rf"(?P<han>[{HAN}]+)|(?P<latin>[{_LATIN}]+(?:['’-][{_LATIN}]+)*)|(?P<pause>[^{HAN}{_LATIN}]+)")
_ENDS = {"。": ".", ".": ".", "！": "!", "!": "!", "？": "?", "?": "?", "；": ".", ";": ".", "\n": ".", "…": "."}
_RESTS = set("，,、：:（）()【】[]—-/|")


def to_script(reading: Reading, lexicon: Lexicon = BUILT_IN) -> Script:
    """The reading as syllables, Latin words and pauses, for any engine."""
    chosen = (*lexicon.hits(reading.spoken), *reading.chosen())  # what the writer chose comes last and holds
    script: list[Segment] = []
    for match in _TOKENS.finditer(reading.spoken):
        if match["han"]:
            _add_han(script, match, chosen)
        elif match["latin"]:
            script.append(Segment("latin", _spelled(match["latin"]), match["latin"]))
        else:
            _add_pause(script, match["pause"])
    return tuple(script)


def _add_han(script: list[Segment], match: re.Match[str], chosen: tuple[tuple[int, int, str], ...]) -> None:
    han = match["han"]
    syllables = list(dictionary_syllables(han))
    for start, end, pinyin in chosen:
        if match.start() <= start < match.end():
            syllables[start - match.start() : end - match.start()] = pinyin.split()
    syllables = joined(han, syllables, words_of(han))
    said = [(s, c) for s, c in zip(syllables, match["han"], strict=True) if s]
    if said:
        script.append(Segment("pinyin", " ".join(s for s, _ in said), "".join(c for _, c in said)))


def _add_pause(script: list[Segment], signs: str) -> None:
    """The strongest of the signs; nothing before the first word, and never two pauses in a row."""
    found = [_ENDS[c] for c in signs if c in _ENDS] or [","] * any(c in _RESTS for c in signs)
    if not found or not script:
        return
    pause = next((p for p in found if p in "!?"), found[0])
    if script[-1].kind == "pause":
        previous = script.pop()
        pause, signs = (previous.text if previous.text != "," else pause), previous.source + signs
    script.append(Segment("pause", pause, signs.strip()))


_WHOLE = frozenset({"COVID", "SARS", "SIM", "WIFI", "APEC", "LOGO"})
"""Capitals that people say as a word."""


def _spelled(word: str) -> str:
    """Short words in capitals are spelled out: LED -> L E D."""
    return " ".join(word) if word.isupper() and len(word) <= 5 and word not in _WHOLE else word


def estimate_seconds(reading: Reading, voice: VoiceSpec, lexicon: Lexicon = BUILT_IN) -> float:
    """How long one pass of the words will last, at once and without speaking them; within 10 % for sentences."""
    return script_seconds(to_script(reading, lexicon), voice)
