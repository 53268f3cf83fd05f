"""A process that is about to end: what it still does, and what it puts off until the next one is there.

Whoever sends a form is served to the last: it is short, and nobody may wonder whether it counted. Whoever only looks is
told at once to ask again; a hundred open pages would keep the process busy for nothing.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from hub.core.runtime import runtime
from hub.web.errors import AGAIN_S, is_fragment, problem
from hub.web.i18n import language
from hub.web.words import sentence
from hub.web.work import is_api, nobody_asks

V = TypeVar("V", bound=Callable[..., Any])
LOOKS = frozenset({"GET", "HEAD"})
SOON_S = 3
"""After how long a part of an open page asks again: another process may be there to answer it."""


class Ending:
    """Whether this process was told to end."""

    def __init__(self) -> None:
        self._begun = threading.Event()

    @property
    def begun(self) -> bool:
        """Whether it is about to end."""
        return self._begun.is_set()

    def begin(self) -> None:
        """From now on those who only look are put off."""
        self._begun.set()


def to_the_end(view: V) -> V:
    """Answer this address until the port closes: a loudspeaker fetches its sound, a monitor asks how things are."""
    view.__dict__["to_the_end"] = True
    return view


def install(app: Flask) -> None:
    """Put off who only looks, before anything is asked of the database."""
    app.before_request(_put_off)


def _put_off() -> ResponseReturnValue | None:
    if request.method not in LOOKS or not runtime().get(Ending).begun:
        return None
    view = current_app.view_functions.get(request.endpoint or "")
    if request.endpoint == "static" or getattr(view, "to_the_end", False):
        return None
    nobody_asks()
    answer = _in_words()
    answer.headers["Retry-After"] = str(SOON_S if is_fragment() else AGAIN_S)
    return answer


def _in_words() -> Response:
    if is_api():
        return problem(503, "hub_ending", sentence("hub_ending", language()))
    if is_fragment():
        return Response(status=503)  # the page keeps what it shows and asks again by itself
    return make_response(render_template("errors/ending.html", seconds=AGAIN_S), 503)
