"""What every room's api.py stands on: who may call, what requests and answers look like, and how they are described."""

import hashlib
import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from flask import Flask, Response, current_app, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.response import Response as Described
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, StrictInt, field_validator
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import NotFound, UnsupportedMediaType
from werkzeug.routing import RequestRedirect

from hub.core.errors import BadInput, HubError, NotSignedIn
from hub.core.runtime import Runtime, runtime
from hub.web.guards import csrf
from hub.web.limits import PerMinute, SignInsPerMinute
from hub.web.settings import ApiSettings
from hub.web.work import is_api, now, origin, visitor

V = TypeVar("V", bound=Callable[..., Any])

PREFIX = "/api/v1"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
LATEST_MS = 4_102_444_800_000
"""The year 2100: a moment beyond it is a slip of the unit."""
LONGEST_PAGE = 200

Moment = Annotated[StrictInt, Field(ge=0, le=LATEST_MS, description="milliseconds since 1970-01-01 00:00 UTC")]
RegionCode = Annotated[
    str, Field(pattern=r"^\d{12}(\d{2})?$", description="12 digits (county, township, village) or 14 (group)")
]


class Input(BaseModel):
    """What a program sends. A name nobody knows is refused: a slip of the pen must not be a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _no_control_characters(cls, value: object) -> object:
        """Refuse what no database takes and no voice reads."""
        texts = value if isinstance(value, list) else [value]
        if any(_has_control(text) for text in texts if isinstance(text, str)):
            raise PydanticCustomError("control_character", "control characters are not allowed")
        return value


class Output(BaseModel):
    """What a program gets."""

    model_config = ConfigDict(frozen=True)


class PageQuery(Input):
    """Which page of a list."""

    limit: int = Field(50, ge=1, le=LONGEST_PAGE, description="how many at most")
    cursor: str = Field("", max_length=400, description="`next` of the page before; leave out for the first")


class FieldProblem(Output):
    """What is wrong with one part of the request."""

    field: str = Field(description="its name; parts of lists and objects are joined by dots, as in `regions.0`")
    code: str = Field(description="for programs; never changes")
    detail: str = Field(description="for people, in the language of Accept-Language (zh or en)")


class Problem(Output):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="`urn:cunxiang:problem:` and the code")
    title: str
    status: int
    code: str = Field(description="for programs; never changes")
    detail: str = Field(description="for people, in the language of Accept-Language (zh or en)")
    errors: list[FieldProblem] = Field(default=[], description="every part of the request that is wrong")


def room(name: str, about: str, *, open_to_all: bool = False) -> APIBlueprint:
    """Return a blueprint below /api/v1. It is free of CSRF because no cookie speaks for anybody here."""
    bp = APIBlueprint(
        f"{name}_api",
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=about)],
        abp_security=None if open_to_all else [{"key": []}],
        abp_responses={str(status): _problem_response(status) for status in (422, 429, 500, 503)},
        operation_id_callback=_operation_id,
    )
    csrf.exempt(bp)
    return bp


def answers(model: type[BaseModel], *problems: int, status: int = 200) -> dict[str | int, Any]:
    """Return the answers of one verb for its description: the good one, and which problems it has."""
    found: dict[str | int, Any] = {str(status): model}
    found.update({str(code): _problem_response(code) for code in sorted({401, *problems})})
    return found


def takes(*kinds: str) -> Callable[[V], V]:
    """Let a verb take a body that is no JSON, of these media types."""

    def marked(view: V) -> V:
        view.__dict__["takes"] = frozenset(kinds)
        return view

    return marked


def open_to_all(view: V) -> V:
    """Let everybody call this verb, key or not."""
    view.__dict__["open_to_all"] = True
    return view


def takes_up_to(most: Callable[[], int]) -> Callable[[V], V]:
    """Let this verb take a larger body than others; `most` says how many bytes."""

    def marked(view: V) -> V:
        view.__dict__["largest_body"] = most
        return view

    return marked


def register(app: Flask, bp: APIBlueprint) -> None:
    """Put a room's verbs on the application and into its description."""
    if not isinstance(app, OpenAPI):
        raise TypeError("the application describes no interface")
    for item in bp.paths.values():
        for operation in (item.post, item.put):
            if operation is not None:
                operation.responses.update({str(s): Described(**_problem_response(s)) for s in (400, 413, 415)})
    app.register_api(bp)


def provide_limits(runtime_: Runtime) -> None:
    """Count how often each key and address asks."""
    settings = runtime_.config.section(ApiSettings)
    runtime_.provide(PerMinute, PerMinute(settings.requests_per_minute))
    runtime_.provide(SignInsPerMinute, SignInsPerMinute(settings.sign_ins_per_minute))


def install(app: Flask) -> None:
    """Guard everything below /api/."""
    app.before_request(_guard)


def say(model: BaseModel, status: int = 200) -> Response:
    """Return an answer."""
    return Response(model.model_dump_json(), status, mimetype="application/json")


def ms(moment: datetime) -> int:
    """Return a moment as it stands in an answer."""
    return round(moment.timestamp() * 1000)


def ms_or_none(moment: datetime | None) -> int | None:
    """Return a moment that may be missing."""
    return None if moment is None else ms(moment)


def moment_of(value: int) -> datetime:
    """Return the moment of milliseconds that a program sent."""
    return datetime.fromtimestamp(value / 1000, UTC)


def sent_body() -> Any:
    """Return the body of this request as it was sent, {} when there was none. HubError when it is no sound JSON."""
    data = request.get_data(cache=True)
    if not data:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError):
        raise HubError("json_malformed") from None


def _guard() -> None:
    if is_api() and isinstance(request.routing_exception, RequestRedirect):
        raise NotFound  # a slash too many is another address: a program is not sent on
    if not is_api() or request.routing_exception is not None or request.method == "OPTIONS":
        return
    view = current_app.view_functions[request.endpoint or ""]
    if not getattr(view, "open_to_all", False):
        _know_the_caller()
    if request.method in WITH_BODY:
        most = getattr(view, "largest_body", None)
        request.max_content_length = most() if most else runtime().config.section(ApiSettings).largest_body_kb * 1024
        kinds = getattr(view, "takes", None)
        if kinds is None:
            _check_body(view)
        elif request.mimetype not in kinds:
            raise UnsupportedMediaType


def _know_the_caller() -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotSignedIn("key_missing")
    if visitor() is None:
        raise NotSignedIn("key_refused")
    runtime().get(PerMinute).take(hashlib.sha256(key.strip().encode()).digest(), now())


def _check_body(view: Callable[..., Any]) -> None:
    body = sent_body()
    if not isinstance(body, dict):
        raise HubError("json_no_object")
    if "body" in view.__annotations__:
        if not request.get_data(cache=True):
            raise HubError("body_missing")
    elif body:
        raise BadInput("field_unknown", field=str(next(iter(body))))


def client() -> bytes:
    """Return where a request comes from, for counting."""
    return origin().encode()


def _no_constant(word: str) -> object:
    raise ValueError(word)


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _has_control(text: str) -> bool:
    return any(unicodedata.category(c) == "Cc" and c not in "\n\r\t" for c in text)


def _operation_id(*, name: str, path: str, method: str) -> str:
    return name


def _problem_response(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": WHEN[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 429:
        found["headers"] = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
    return found


WHEN = {
    400: "The body is no sound JSON object.",
    401: "No key, or one that is wrong, over or revoked.",
    403: "The account behind the key may not do this there.",
    404: "There is no such thing, or it lies outside the account's region.",
    409: "It has gone too far, or not far enough, for this; or the same request is still being worked on.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "Something that was sent is wrong; `errors` says what.",
    429: "Too many requests in this minute.",
    500: "A fault of the hub; nothing was changed.",
    503: "Something the hub depends on did not work. With the code `database_away` look first whether it was done.",
}
