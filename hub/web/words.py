"""The sentences for error codes, from `templates/errors/words/*.toml`, in the reader's language."""

import tomllib
from functools import cache
from pathlib import Path

from hub.core.errors import HubError, Problems

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
LANGUAGES = ("zh", "en")


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return code → language → sentence. A code that stands in two files is a mistake and refused."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((TEMPLATES / "errors" / "words").glob("*.toml")):
        for code, sentences in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if code in found:
                raise ValueError(f"{path.name}: {code} stands in another file too")
            found[code] = sentences
    return found


def sentence(code: str, language: str, /, **params: object) -> str:
    """Return the sentence for a code; the bare code if nobody wrote one (a test sees to it that somebody did)."""
    words = catalogue().get(code)
    if words is None:
        return code
    return words[language if language in LANGUAGES else "zh"].format_map(_Blanks(params))


def explain(error: HubError, language: str) -> str:
    """Return the words for an error."""
    if isinstance(error, Problems):
        return " ".join(sentence(p.code, language, **p.params) for p in error.problems)
    return sentence(error.code, language, **error.params)


class _Blanks(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "…"
