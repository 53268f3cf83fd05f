"""Note what happened, in the transaction in which it happens: what is rolled back is never told."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.webhooks.models import EventKind, Webhook, WebhookCall


def note(session: Session, kind: EventKind, region_path: str, now: datetime, **facts: object) -> int:
    """Note one event for every webhook that wants it; return for how many.

    `facts` hold codes, counts and times, never a phone number or a name: the receiver is another program.
    """
    return note_each(session, kind, [(region_path, facts)], now)


def note_each(
    session: Session, kind: EventKind, told: Sequence[tuple[str, Mapping[str, object]]], now: datetime
) -> int:
    """Note what happened in several regions at once; return how many calls that makes."""
    hooks = [hook for hook in session.scalars(select(Webhook).where(Webhook.active)) if kind in hook.kinds]
    calls = [
        WebhookCall(webhook_id=hook.id, kind=kind, facts=dict(facts), made_at=now, next_try_at=now)
        for region_path, facts in told
        for hook in hooks
        if region_path.startswith(hook.home_path)
    ]
    session.add_all(calls)
    return len(calls)
