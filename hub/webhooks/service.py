"""Add, switch and remove webhooks; look at what they were told; tell it again."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound
from hub.webhooks.models import CallState, EventKind, Webhook, WebhookAttempt, WebhookCall
from hub.webhooks.secrets import SecretSafe
from hub.webhooks.signing import SECRET_BYTES, shown

LONGEST_NAME = 40
LONGEST_URL = 400


def add(
    session: Session,
    actor: Actor,
    safe: SecretSafe,
    *,
    name: str,
    url: str,
    home_path: str,
    kinds: Collection[EventKind],
    now: datetime,
) -> tuple[Webhook, str]:
    """Add a webhook; return it and its secret, which is shown this once."""
    actor.require(Permission.EDIT_ACCOUNTS, home_path)
    if not name.strip() or len(name) > LONGEST_NAME:
        raise BadInput("webhook_name", field="name", most=LONGEST_NAME)
    _check_address(url)
    if not kinds:
        raise BadInput("webhook_kinds", field="kinds")
    secret = os.urandom(SECRET_BYTES)
    hook = Webhook(
        name=name.strip(),
        url=url,
        home_path=home_path,
        kinds=sorted(kinds),
        sealed=safe.seal(secret),
        created_at=now,
        created_by_name=actor.name,
    )
    session.add(hook)
    session.flush()
    log.record(session, actor, "webhook.add", f"webhook:{hook.id}", home_path, now, name=hook.name)
    return hook, shown(secret)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    known = parts.scheme in ("https", "http") and parts.hostname
    if not known or len(url) > LONGEST_URL or parts.username or parts.password or any(c <= " " for c in url):
        raise BadInput("webhook_address", field="url")


def switch(session: Session, actor: Actor, hook_id: UUID, *, active: bool, now: datetime) -> Webhook:
    """Switch a webhook on or off; what waits for it stays."""
    hook = own(session, actor, hook_id)
    before, hook.active = hook.active, active
    log.record(session, actor, "webhook.switch", f"webhook:{hook.id}", hook.home_path, now, before=before, after=active)
    return hook


def remove(session: Session, actor: Actor, hook_id: UUID, *, now: datetime) -> None:
    """Remove a webhook and what it was told."""
    hook = own(session, actor, hook_id)
    log.record(session, actor, "webhook.remove", f"webhook:{hook.id}", hook.home_path, now, name=hook.name)
    session.delete(hook)


def test(session: Session, actor: Actor, hook_id: UUID, *, now: datetime) -> WebhookCall:
    """Tell a webhook that this is a test."""
    hook = own(session, actor, hook_id)
    call = WebhookCall(webhook_id=hook.id, kind=EventKind.TEST, facts={}, made_at=now, next_try_at=now)
    session.add(call)
    session.flush()
    return call


def again(session: Session, actor: Actor, call_id: UUID, *, now: datetime) -> WebhookCall:
    """Tell it again, under the same id, so that a receiver who has it already does not mind."""
    call = session.get(WebhookCall, call_id)
    if call is None:
        raise NotFound("webhook_unknown")
    own(session, actor, call.webhook_id)
    call.state, call.next_try_at, call.done_at = CallState.WAITING, now, None
    return call


def own(session: Session, actor: Actor, hook_id: UUID) -> Webhook:
    """Return a webhook the person answers for. Raises NotFound."""
    hook = session.get(Webhook, hook_id)
    if hook is None or not actor.may(Permission.EDIT_ACCOUNTS, hook.home_path):
        raise NotFound("webhook_unknown")
    return hook


def list_hooks(session: Session, actor: Actor) -> Sequence[Webhook]:
    """Return the webhooks the person answers for."""
    paths = actor.paths(Permission.EDIT_ACCOUNTS)
    seen = or_(*(Webhook.home_path.like(like_below(path)) for path in paths))
    return session.scalars(select(Webhook).where(seen).order_by(Webhook.created_at)).all() if paths else []


@dataclass(frozen=True, slots=True)
class Told:
    """One event of one webhook with its attempts, oldest first."""

    call: WebhookCall
    attempts: tuple[WebhookAttempt, ...]


def told(session: Session, actor: Actor, hook_id: UUID, *, limit: int) -> list[Told]:
    """Return what a webhook was told, newest first."""
    hook = own(session, actor, hook_id)
    newest = select(WebhookCall).where(WebhookCall.webhook_id == hook.id).order_by(WebhookCall.id.desc()).limit(limit)
    calls = session.scalars(newest).all()
    query = select(WebhookAttempt).where(WebhookAttempt.call_id.in_([call.id for call in calls]))
    by_call: dict[UUID, list[WebhookAttempt]] = {}
    for attempt in session.scalars(query.order_by(WebhookAttempt.number)):
        by_call.setdefault(attempt.call_id, []).append(attempt)
    return [Told(call, tuple(by_call.get(call.id, ()))) for call in calls]
