"""What staff type about a word, made tidy and checked."""

import re
from dataclasses import dataclass

from pypinyin.contrib.tone_convert import to_tone, to_tone3

from broadcasts.lexicon.models import EntryKind
from broadcasts.speech.findings import Watched
from broadcasts.speech.pronunciation import HAN, Lexicon, parse_pinyin
from broadcasts.speech.reading import as_read, to_script
from hub.core.errors import BadInput, Problems

LONGEST_WORD, LONGEST_SAID, LONGEST_NOTE, LONGEST_SAY, LONGEST_WHY = 20, 80, 60, 40, 60
_HAN_ONLY = re.compile(f"[{HAN}]+")
_PINYIN = re.compile(r"[a-zü:vāáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹ]+[1-5]?")
_SPACED = re.compile(r"[\s,，、'’·]+")
_SAMPLE = "{word}。请注意，{word}。"


@dataclass(frozen=True, slots=True)
class Entry:
    """A word and how it is read, checked: `said` is pinyin with tone digits, or words."""

    word: str
    kind: EntryKind
    said: str
    note: str = ""

    @property
    def lexicon(self) -> Lexicon:
        """Return a lexicon with this entry only."""
        return (
            Lexicon({self.word: self.said}) if self.kind is EntryKind.PINYIN else Lexicon(words={self.word: self.said})
        )


def entry_of(word: str, said: str, note: str = "") -> Entry:
    """Return what was typed as an entry; whether it is pinyin or words is seen. Problems says what is wrong where."""
    word, said, note = "".join(word.split()), " ".join(said.split()), note.strip()
    wrong = [problem for problem in (_word_problem(word), _note_problem(note)) if problem]
    kind = EntryKind.PINYIN if _HAN_ONLY.fullmatch(word) and _looks_like_pinyin(said) else EntryKind.WORDS
    try:
        said = _syllables(word, said) if kind is EntryKind.PINYIN else _words(word, said)
    except BadInput as error:
        wrong.append(error)
    if wrong:
        raise Problems(wrong)
    return Entry(word, kind, said, note)


def word_of(word: str) -> str:
    """Return a word as it is kept; BadInput when it is none."""
    word = "".join(word.split())
    if problem := _word_problem(word):
        raise problem
    return word


def watched_of(word: str, why: str, say: str, *, blocking: bool) -> Watched:
    """Return what was typed as a word to watch for. Problems says what is wrong where."""
    word, why, say = word.strip(), why.strip(), say.strip()
    wrong: list[BadInput] = []
    if not word:
        wrong.append(BadInput("watched_word_missing", field="word"))
    elif len(word) < 2:
        wrong.append(BadInput("watched_word_short", field="word"))
    for field, text, most in (("word", word, LONGEST_WORD), ("why", why, LONGEST_WHY), ("say", say, LONGEST_SAY)):
        if len(text) > most:
            wrong.append(BadInput("lexicon_too_long", field=field, most=most))
    if word and word in say:
        wrong.append(BadInput("watched_word_again", field="say"))
    if wrong:
        raise Problems(wrong)
    return Watched(word, why, say, blocking)


def spoken_now(word: str, lexicon: Lexicon) -> str:
    """Return how a word is read at present, in pinyin with tone marks; letters stay letters."""
    script = to_script(as_read("".join(word.split())[:LONGEST_WORD], lexicon), lexicon)
    return " ".join(marked(segment.text) if segment.kind == "pinyin" else segment.text for segment in script)


def marked(pinyin: str) -> str:
    """Return pinyin with marks instead of digits: lu4 an1 -> lù ān."""
    return " ".join(to_tone(syllable) for syllable in pinyin.split())


def sample(word: str) -> str:
    """Return a text in which the word is heard twice."""
    return _SAMPLE.format(word=word)


def _word_problem(word: str) -> BadInput | None:
    if not word:
        return BadInput("lexicon_word_missing", field="word")
    if len(word) > LONGEST_WORD:
        return BadInput("lexicon_too_long", field="word", most=LONGEST_WORD)
    if len(word) < 2 and _HAN_ONLY.fullmatch(word) and ord(word) in range(0x4E00, 0xA000):
        return BadInput("lexicon_word_short", field="word")
    if any(not c.isprintable() or c in "{}｛｝" for c in word):
        return BadInput("lexicon_word_odd", field="word")
    return None


def _note_problem(note: str) -> BadInput | None:
    return BadInput("lexicon_too_long", field="note", most=LONGEST_NOTE) if len(note) > LONGEST_NOTE else None


def _looks_like_pinyin(said: str) -> bool:
    return all(_PINYIN.fullmatch(part) for part in _SPACED.split(said.lower()) if part) and bool(_SPACED.sub("", said))


def _syllables(word: str, said: str) -> str:
    parts = [part.replace("u:", "v") for part in _SPACED.split(said.lower()) if part]
    if len(parts) != len(word):
        raise BadInput("lexicon_syllables", field="said", characters=len(word), syllables=len(parts))
    toned = [part if part[-1].isdigit() else to_tone3(part, v_to_u=False) for part in parts]
    for given, syllable in zip(parts, toned, strict=True):
        if not syllable[-1].isdigit():
            raise BadInput("lexicon_tone_missing", field="said", syllable=given)
        try:
            parse_pinyin(syllable, "字")
        except ValueError:
            raise BadInput("lexicon_syllable_odd", field="said", syllable=given) from None
    return " ".join(parse_pinyin(" ".join(toned), word))


def _words(word: str, said: str) -> str:
    if not said:
        raise BadInput("lexicon_said_missing", field="said")
    if len(said) > LONGEST_SAID:
        raise BadInput("lexicon_too_long", field="said", most=LONGEST_SAID)
    if any(c.isdigit() for c in said):
        raise BadInput("lexicon_said_digits", field="said")
    if said == word:
        raise BadInput("lexicon_said_same", field="said")
    return said
