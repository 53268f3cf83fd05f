"""Note what happened, in the transaction in which it happens: what is rolled back is never told."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.webhooks.models import EventKind, Webhook, WebhookCall


def note(session: Session, kind: EventKind, region_path: str, now: datetime, **facts: object) -> int:
    """Note one event for every webhook that wants it; return for how many.

    `facts` hold codes, counts and times, never a phone number or a name: the receiver is another program.
    """
    wanted = [
        hook
        for hook in session.scalars(select(Webhook).where(Webhook.active))
        if kind in hook.kinds and region_path.startswith(hook.home_path)
    ]
    session.add_all(WebhookCall(webhook_id=h.id, kind=kind, facts=facts, made_at=now, next_try_at=now) for h in wanted)
    return len(wanted)
