"""Lists, exports and answers that show residents: who asked for them is written down before they are shown."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import make_response, request
from flask.typing import ResponseReturnValue

from hub.audit import log
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.regions.tree import path_of
from hub.residents.looks import Looks
from hub.web.work import actor, now, work

P = ParamSpec("P")
R = TypeVar("R", bound=ResponseReturnValue)


def shows_residents(deed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Write down who is shown residents by this page or verb: once an hour for each person, address and place.

    `deed` names it in the log, as `residents.look`. What is refused, or only says where to go, shows nobody.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def noted(*args: P.args, **kwargs: P.kwargs) -> R:
            answer = view(*args, **kwargs)
            if make_response(answer).status_code in SHOWN:
                note(deed)
            return answer

        return noted

    return decorate


SHOWN = frozenset({200, 422})
"""A list that says what was typed wrong is a list too."""


def note(deed: str) -> None:
    """Write down that the person of this request is shown residents."""
    place = _place(request.values.get("region", ""))
    looks, who, what = runtime().get(Looks), actor().id, f"{request.path} {place}"
    if not looks.is_due(who, what, now=now()):
        return
    one = next(iter((request.view_args or {}).values()), "")
    try:
        with work() as session:
            log.record(session, actor(), deed, f"{deed.partition('.')[0]}:{one}", place, now())
    except Exception:
        looks.forget(who, what)
        raise


def _place(region: str) -> str:
    """Return the path of the place that was asked for, if the person may see it, else of the first they may see."""
    me = actor()
    paths = me.paths(Permission.SEE_RESIDENTS) or me.paths(Permission.ANSWER) or me.paths(Permission.SEE)
    with suppress(BadInput):
        asked = path_of(region.strip())
        if asked.startswith(tuple(paths)):
            return asked
    return paths[0] if paths else ""
