"""What pydantic found wrong with a request, as our own errors: a code for programs, words for people."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hub.core.errors import BadInput, Problems
from hub.web.errors import refusal

CODES: Mapping[str, str] = {
    "missing": "field_missing",
    "extra_forbidden": "field_unknown",
    "string_too_long": "field_too_long",
    "too_long": "list_too_long",
    "string_too_short": "field_too_short",
    "too_short": "list_too_short",
    "greater_than_equal": "number_too_small",
    "less_than_equal": "number_too_large",
    "string_pattern_mismatch": "field_malformed",
    "enum": "choice_unknown",
    "literal_error": "choice_unknown",
    "string_unicode": "field_malformed",
    "date_from_datetime_parsing": "day_malformed",
    "date_from_datetime_inexact": "day_malformed",
    "date_parsing": "day_malformed",
    "control_character": "control_character",
}
KINDS: Mapping[str, str] = {
    "string_type": "string",
    "int_type": "integer",
    "int_parsing": "integer",
    "int_parsing_size": "integer",
    "int_from_float": "integer",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "date_type": "YYYY-MM-DD",
}


def refused(error: ValidationError) -> Response:
    """Return the problem document; nothing of what was sent is repeated in it."""
    found = [_mistake(item) for item in error.errors(include_url=False, include_input=False)]
    return refusal(found[0] if len(found) == 1 else Problems(found))


@contextmanager
def fields_named(rename: Callable[[str], str]) -> Iterator[None]:
    """Name what a service found wrong as programs know it: services use the names of the pages' inputs."""
    try:
        yield
    except Problems as error:
        raise Problems([_renamed(problem, rename) for problem in error.problems]) from error
    except BadInput as error:
        raise _renamed(error, rename) from error


def _renamed(error: BadInput, rename: Callable[[str], str]) -> BadInput:
    return BadInput(error.code, field=rename(error.field), **error.params)


def _mistake(item: ErrorDetails) -> BadInput:
    field = ".".join(str(part) for part in item["loc"])
    kind = KINDS.get(item["type"])
    if kind is not None:
        return BadInput("type_wrong", field=field, wanted=kind)
    context: dict[str, Any] = item.get("ctx", {})
    return BadInput(CODES.get(item["type"], "field_malformed"), field=field, **_blanks(context))


def _blanks(context: Mapping[str, Any]) -> dict[str, object]:
    """Return what our sentences have blanks for, by our names."""
    names = {
        "max_length": "most",
        "min_length": "least",
        "le": "most",
        "ge": "least",
        "expected": "choices",
    }
    return {ours: context[theirs] for theirs, ours in names.items() if theirs in context}
