"""Turn what went wrong into a page, a fragment or problem+json, in words that say what to do."""

import logging
from http import HTTPStatus
from uuid import uuid4

from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from hub.core.errors import BadInput, HubError, NotSignedIn, Problems
from hub.web.i18n import language
from hub.web.words import explain, sentence

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Answer every error the same way everywhere."""
    app.register_error_handler(HubError, _rule)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def is_api() -> bool:
    """Return whether a program is asking, not a browser."""
    return request.path.startswith("/api/")


def is_fragment() -> bool:
    """Return whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def problem(status: int, code: str, detail: str, *, errors: list[dict[str, str]] | None = None) -> Response:
    """Return an RFC 9457 problem document."""
    body: dict[str, object] = {
        "type": f"urn:cunxiang:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    answer = jsonify(body)
    answer.status_code = status
    answer.mimetype = "application/problem+json"
    return answer


def field_errors(error: HubError, language_: str) -> list[dict[str, str]]:
    """Return field, code and words of everything wrong with the input."""
    items = error.problems if isinstance(error, Problems) else (error,)
    return [
        {"field": e.field, "code": e.code, "detail": explain(e, language_)}
        for e in items
        if isinstance(e, BadInput) and e.field
    ]


def _rule(error: HubError) -> ResponseReturnValue:
    if isinstance(error, NotSignedIn):
        return _to_sign_in(error)
    return _answer(error.status, error.code, explain(error, language()), field_errors(error, language()))


def _to_sign_in(error: NotSignedIn) -> ResponseReturnValue:
    if is_api():
        answer = problem(401, error.code, explain(error, language()))
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    back = request.full_path.rstrip("?") if request.method == "GET" and not is_fragment() else None
    where = url_for("accounts.sign_in", next=back)
    if is_fragment():
        return Response(status=401, headers={"HX-Redirect": where})
    return redirect(where)


def _csrf(error: CSRFError) -> ResponseReturnValue:
    return _answer(400, "form_too_old", sentence("form_too_old", language()))


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error
    code = f"http_{status}"
    return _answer(status, code, sentence(code, language()))


def _bug(error: Exception) -> ResponseReturnValue:
    number = uuid4().hex[:8]
    # Only where it happened: a value in the message might be somebody's number.
    log.error("unexpected error %s at %s %s", number, request.method, request.endpoint, exc_info=error)
    return _answer(500, "http_500", sentence("http_500", language(), number=number))


def _answer(status: int, code: str, words: str, errors: list[dict[str, str]] | None = None) -> ResponseReturnValue:
    if is_api():
        return problem(status, code, words, errors=errors)
    template = "errors/_notice.html" if is_fragment() else "errors/page.html"
    return render_template(template, status=status, code=code, words=words), status
