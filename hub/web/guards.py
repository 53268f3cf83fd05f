"""Who may enter, CSRF, and the headers that keep a page to itself."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFProtect

from hub.core.actor import Permission
from hub.core.errors import NotAllowed
from hub.web.work import actor

P = ParamSpec("P")
R = TypeVar("R")

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
csrf = CSRFProtect()


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


def install(app: Flask) -> None:
    """Switch on CSRF and the security headers."""
    csrf.init_app(app)
    app.after_request(_headers)


def _headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response
