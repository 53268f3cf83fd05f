"""Every request has a name: on each line it logs, in its answer, and on the page that says something went wrong."""

import logging
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final
from uuid import uuid4

from flask import Flask, Response, current_app, g, request

from hub.core.logs import about

log = logging.getLogger(__name__)
HEADER: Final = "X-Request-Id"
SLOW_S: Final = 2.0
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}")


Measured = Callable[[Response, float], None]
"""Gets every answer, and how many seconds it took."""
_EXTENSION: Final = "cunxiang.measured"


def on_answer(app: Flask, measured: Measured) -> None:
    """Tell how long each request took."""
    app.extensions.setdefault(_EXTENSION, []).append(measured)


def install(app: Flask) -> None:
    """Name requests, and say which were slow."""
    app.before_request(_begin)
    app.after_request(_answer)
    app.teardown_request(_end)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _GIVEN.fullmatch(given) else uuid4().hex
    g.request_began = time.perf_counter()
    g.request_about = about(request=g.request_id)
    g.request_about.__enter__()


def _answer(response: Response) -> Response:
    if "request_id" in g:
        response.headers[HEADER] = g.request_id
        took = time.perf_counter() - g.request_began
        for measured in current_app.extensions.get(_EXTENSION, ()):
            measured(response, took)
        if took > SLOW_S:
            # The endpoint, not the address: an address may hold what is somebody's business.
            log.warning("slow_request", extra={"endpoint": request.endpoint, "seconds": round(took, 1)})
    return response


def _end(error: BaseException | None) -> None:
    named: AbstractContextManager[None] | None = g.pop("request_about", None)
    if named is not None:
        named.__exit__(None, None, None)
