"""Who may enter, CSRF, and the headers that keep a page to itself."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Flask, Response, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect

from hub.core import trial
from hub.core.actor import Permission
from hub.core.errors import NotAllowed
from hub.core.runtime import runtime
from hub.web.work import actor, is_api, visitor

P = ParamSpec("P")
R = TypeVar("R")

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
HSTS = "max-age=31536000"
"""A browser that has once come by https does so for a year, whatever a link says; other hosts are not meant."""
csrf = CSRFProtect()
V = TypeVar("V", bound=Callable[..., Any])
_URGENT: set[str] = set()


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """Let only signed-in people in."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        actor()
        return view(*args, **kwargs)

    return guarded


def permission_required(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only people in who hold `permission` somewhere; the service asks again, for the very place."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not actor().may_somewhere(permission):
                raise NotAllowed("not_allowed", permission=permission.value)
            return view(*args, **kwargs)

        return guarded

    return decorate


def never_held(view: V) -> V:
    """Let people come to this page even when they have to do something else first."""
    view.__dict__["never_held"] = True
    return view


def urgent(bp: Blueprint) -> None:
    """Let people come to a room's pages with a password that somebody else set: lives come first."""
    _URGENT.add(bp.name)


def install(app: Flask) -> None:
    """Switch on CSRF, the security headers, and the stop for who has to do something first."""
    csrf.init_app(app)
    app.before_request(_hold)
    app.teardown_request(_after)
    app.after_request(_headers)


def _hold() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or is_api() or request.endpoint == "static" or getattr(view, "never_held", False):
        return None
    person = visitor()
    if person is None or not person.held_at or (not person.on_duty and request.blueprint in _URGENT):
        return None
    where = url_for(person.held_at)
    if request.headers.get("HX-Request") == "true" or request.headers.get("X-Requested-With") == "fetch":
        return Response(status=401, headers={"HX-Redirect": where})
    return redirect(where)


def _after(error: BaseException | None) -> None:
    trial.end()


def _headers(response: Response) -> Response:
    headers = response.headers
    if trial.is_on():
        headers["Cunxiang-Test-Key"] = "nothing was done"
    headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if runtime().settings.public_url.startswith("https://"):
        headers.setdefault("Strict-Transport-Security", HSTS)
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response
