"""One request, done once: a program that hears no answer sends it again with the same Idempotency-Key.

The key is claimed in a unit of work of its own; the answer is noted in the very unit of work that does the deed. So
either both are there or neither is, and a hub that dies in between leaves a claim of which nothing was done.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

from flask import Response, g, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from hub.core import trial
from hub.core.actor import Actor
from hub.core.errors import HubError
from hub.core.runtime import runtime
from hub.web.api import say, sent_body
from hub.web.errors import refusal
from hub.web.work import actor, now, work

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PASSING = 429
"""A refusal that says "later" is not the answer to keep."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The key is ours: this request is the one that does it."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Answered:
    """It was done before; this was the answer."""

    status: int
    body: str


@dataclass(frozen=True)
class KeyStore:
    """Where keys are kept. Provided by the accounts room, which stands above this one.

    `claim` raises HubError when the key belongs to another request or to one still being worked on. `note` keeps the
    answer, in the caller's unit of work; it raises HubError when the claim was lost meanwhile. `release` forgets it.
    """

    claim: Callable[[Session, Actor, str, bytes, datetime], Claim | Answered]
    note: Callable[[Session, Claim, Answered], None]
    release: Callable[[Session, Claim], None]


class KeyHeader(BaseModel):
    """The header that makes sending twice doing once."""

    model_config = ConfigDict(extra="ignore")

    idempotency_key: str = Field(
        "",
        alias=HEADER,
        max_length=80,
        pattern=r"^[!-~]*$",
        description="a word of your own for this deed, a new one each time (a UUID is fine); kept for 48 hours",
    )


def once(view: Callable[..., Response]) -> Callable[..., Response]:
    """Make a verb heed the Idempotency-Key. The view ends its unit of work with `finish`."""

    @wraps(view)
    def guarded(header: KeyHeader, **arguments: Any) -> Response:
        if not header.idempotency_key or trial.is_on():
            return view(**arguments)
        store = runtime().get(KeyStore)
        with work() as session:
            found = store.claim(session, actor(), header.idempotency_key, _fingerprint(), now())
        if isinstance(found, Answered):
            return _replayed(found)
        return _done_once(store, found, lambda: view(**arguments))

    # The library reads from the annotations which parts of a request a view wants.
    guarded.__annotations__ = {**view.__annotations__, "header": KeyHeader}
    return guarded


def finish(session: Session, model: BaseModel, status: int = 200) -> Response:
    """Return the answer and note it under the request's key, in the unit of work that did the deed."""
    answer = say(model, status)
    claim = g.get("claim")
    if isinstance(claim, Claim):
        runtime().get(KeyStore).note(session, claim, Answered(status, answer.get_data(as_text=True)))
    return answer


def _done_once(store: KeyStore, claim: Claim, deed: Callable[[], Response]) -> Response:
    g.claim = claim
    try:
        return deed()
    except HubError as error:
        answer = refusal(error)
        with work() as session:
            if error.status >= 500 or error.status == PASSING:
                store.release(session, claim)
            else:
                store.note(session, claim, Answered(answer.status_code, answer.get_data(as_text=True)))
        return answer
    except BaseException:
        with work() as session:
            store.release(session, claim)
        raise
    finally:
        g.claim = None


def _fingerprint() -> bytes:
    """Return what tells this request from another: how spaces and names are ordered in its JSON does not count."""
    body = json.dumps(sent_body(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.full_path}\n{body}".encode()).digest()


def _replayed(answer: Answered) -> Response:
    kind = "application/json" if answer.status < 400 else "application/problem+json"
    return Response(answer.body, answer.status, {REPLAYED: "true"}, mimetype=kind)
