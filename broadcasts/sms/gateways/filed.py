"""Templates filed with a provider: find the one a text fits, and what stands in its blanks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from broadcasts.sms.gateway import Objection

_BLANK = re.compile(r"\$?\{(\w{1,40})\}")
_OURS = re.compile(r"\{([^{}\n]{1,20})\}")
_SIGNATURE = re.compile(r"^【([^】]{0,40})】")


@dataclass(frozen=True, slots=True)
class FiledTemplate:
    """One approved template: the provider's code, and its text with blanks `${name}` or `{1}`."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Fit:
    """A text as a template and what stands in its blanks, in the order of the template."""

    template: FiledTemplate
    values: tuple[tuple[str, str], ...]


def read_templates(entries: Sequence[str]) -> tuple[FiledTemplate, ...]:
    """Return templates written as `CODE=text`."""
    parts = (entry.partition("=") for entry in entries)
    return tuple(FiledTemplate(code.strip(), text.strip()) for code, _, text in parts)


def blanks_of(text: str) -> tuple[str, ...]:
    """Return the names of the blanks of a text of the hub, `{地点}`, in their order."""
    return tuple(_OURS.findall(text))


def spelled(text: str, blank: str) -> str:
    """Return a text of the hub as a provider writes it: `{地点}` is `blank` with its number for `#`, if it has one."""
    if not blank:
        return text
    pieces = _OURS.split(text)[::2]
    numbered = (blank.replace("#", str(number)) for number in range(1, len(pieces)))
    return pieces[0] + "".join(mark + piece for mark, piece in zip(numbered, pieces[1:], strict=True))


def unsigned(text: str) -> tuple[str, str]:
    """Return the signature in front of a text, without its brackets, and the text without it."""
    found = _SIGNATURE.match(text)
    return (found.group(1), text[found.end() :]) if found else ("", text)


def fit(text: str, templates: Sequence[FiledTemplate]) -> Fit | None:
    """Return the template a text (without signature) fits, the one that says most itself; None when it fits none."""
    fits = []
    for template in templates:
        pattern, names, fixed = _pattern(template.text)
        found = pattern.fullmatch(text)
        if found:
            fits.append((fixed, Fit(template, tuple(zip(names, found.groups(), strict=True)))))
    return max(fits, key=lambda pair: pair[0])[1] if fits else None


def no_template(text: str, templates: Sequence[FiledTemplate]) -> list[Objection]:
    """Return the objection of a provider that only takes what fits a filed template."""
    return [] if fit(unsigned(text)[1], templates) else [Objection("sms_content_no_template", blocking=True)]


@cache
def _pattern(text: str) -> tuple[re.Pattern[str], tuple[str, ...], int]:
    pieces = _BLANK.split(text)
    fixed, names = pieces[::2], pieces[1::2]
    between = [re.escape(piece) for piece in fixed]
    return re.compile("(.+?)".join(between), re.DOTALL), tuple(names), sum(map(len, fixed))
