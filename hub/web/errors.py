"""Turn what went wrong into a page, a fragment or problem+json, in words that say what to do."""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from uuid import uuid4

from flask import Flask, Response, current_app, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from hub.core.db import Trouble, trouble_of
from hub.core.errors import BadInput, HubError, NotSignedIn, Problems
from hub.web.i18n import language
from hub.web.ways_back import came_from
from hub.web.words import explain, sentence
from hub.web.work import COOKIE, is_api, nobody_asks, visitor

log = logging.getLogger(__name__)
MOST_ERRORS = 50
API_CODES = {
    400: "request_malformed",
    404: "address_unknown",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "json_needed",
}
"""What a program is told where a person would read of pages and buttons."""


AGAIN_S = 10
NEVER_SHOWN = frozenset({"password", "old", "pin"})
"""Fields whose form is not written into a page."""


@dataclass(frozen=True, slots=True)
class Again:
    """How the same is asked again: where, with which fields, and after how many seconds by itself (0: not)."""

    href: str
    fields: tuple[tuple[str, str], ...] = ()
    seconds: int = 0


def install(app: Flask) -> None:
    """Answer every error the same way everywhere."""
    app.register_error_handler(HubError, _rule)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def is_fragment() -> bool:
    """Return whether a script asks for a part of a page: htmx, or our own."""
    return request.headers.get("HX-Request") == "true" or request.headers.get("X-Requested-With") == "fetch"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """Return an RFC 9457 problem document. `more`: members of its own that this kind of problem has."""
    body: dict[str, object] = {
        "type": f"urn:cunxiang:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    body.update(more or {})
    answer = jsonify(body)
    answer.status_code = status
    answer.mimetype = "application/problem+json"
    answer.headers["Content-Language"] = language()
    answer.vary.add("Accept-Language")
    return answer


def field_errors(error: HubError, language_: str) -> list[dict[str, str]]:
    """Return field, code and words of everything wrong with the input."""
    items = error.problems if isinstance(error, Problems) else (error,)
    return [
        {"field": e.field, "code": e.code, "detail": explain(e, language_)}
        for e in items[:MOST_ERRORS]
        if isinstance(e, BadInput) and e.field
    ]


def refusal(error: HubError) -> Response:
    """Return a broken rule as a problem document, with the headers its status calls for."""
    words = language()
    answer = problem(error.status, error.code, explain(error, words), errors=field_errors(error, words))
    if isinstance(error, NotSignedIn):
        answer.headers["WWW-Authenticate"] = "Bearer"
    wait = error.params.get("retry_after_s")
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def mistakes(error: BadInput) -> dict[str, str]:
    """Return field → sentence for the summary above a refused form; what belongs to no field stands under ''."""
    items = error.problems if isinstance(error, Problems) else (error,)
    found: dict[str, str] = {}
    for item in items:
        found.setdefault(item.field, explain(item, language()))
    return found


def _rule(error: HubError) -> ResponseReturnValue:
    if is_api():
        return refusal(error)
    if isinstance(error, NotSignedIn):
        return _to_sign_in()
    return _answer(error.status, error.code, explain(error, language()), field_errors(error, language()))


def _to_sign_in() -> ResponseReturnValue:
    """Send a page to the sign-in; a form is told that nothing was done, and its page is not lost."""
    came = request.full_path.rstrip("?") if request.method == "GET" else came_from("")
    if is_fragment():
        return Response(status=401, headers={"HX-Redirect": url_for("accounts.sign_in")})
    where = url_for("accounts.sign_in", next=came or None)
    if request.method == "GET" or not came:
        return redirect(where)
    words = sentence("signed_out", language())
    return render_template("errors/signed_out.html", words=words, where=where, back=came), 401


def _csrf(error: CSRFError) -> ResponseReturnValue:
    # Whoever has been signed out has lost the token too: that the page is too old would not help them.
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "never_held", False) and not is_api() and visitor() is None:
        return _to_sign_in()
    return _answer(400, "form_too_old", sentence("form_too_old", language()))


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error
    code = f"http_{status}"
    if is_api():
        return _http_problem(error, status, API_CODES.get(status, code))
    return _answer(status, code, sentence(code, language()))


def _http_problem(error: HTTPException, status: int, code: str) -> Response:
    answer = problem(status, code, sentence(code, language()))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            answer.headers[name] = value
    return answer


def _bug(error: Exception) -> ResponseReturnValue:
    trouble = trouble_of(error)
    if trouble is not None:
        return _without_database(trouble, error)
    number = uuid4().hex[:8]
    # Only what it was and where: the message of an exception may hold somebody's number.
    where = "".join(traceback.format_tb(error.__traceback__))
    what = f"{request.method} {request.endpoint}: {type(error).__name__}"
    log.error("unexpected error %s at %s\n%s", number, what, where)
    return _answer(500, "http_500", sentence("http_500", language(), number=number))


def _without_database(trouble: Trouble, error: Exception) -> ResponseReturnValue:
    """Say that the database is away, and what goes on without it. Nothing here may ask it."""
    log.warning("no_database", extra={"endpoint": request.endpoint, "trouble": trouble, "why": type(error).__name__})
    nobody_asks()
    code = f"database_{trouble}"
    words = sentence(code, language())
    if is_api() or is_fragment():
        answer = make_response(_answer(503, code, words))
    else:
        staff = COOKIE in request.cookies
        page = render_template("errors/database.html", trouble=trouble, words=words, staff=staff, again=_again())
        answer = make_response(page, 503)
    answer.headers["Retry-After"] = str(AGAIN_S)
    return answer


def _again() -> Again:
    """Return what a button has to send so that the same is asked again, as far as a page may hold it."""
    if request.method == "GET":
        return Again(request.full_path.rstrip("?"), seconds=AGAIN_S)
    fields = list(request.form.items(multi=True))
    kept = NEVER_SHOWN.isdisjoint(name for name, _ in fields)
    if request.method != "POST" or request.files or not kept:
        return Again("")
    return Again(request.full_path.rstrip("?"), tuple(fields))


def _answer(status: int, code: str, words: str, errors: list[dict[str, str]] | None = None) -> ResponseReturnValue:
    if is_api():
        return problem(status, code, words, errors=errors)
    if is_fragment():
        return render_template("errors/_notice.html", words=words), status
    back = came_from("") if request.method == "POST" and status < 500 else ""
    page = render_template("errors/page.html", status=status, code=code, words=words, errors=errors, back=back)
    return page, status
