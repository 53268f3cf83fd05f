"""What is forgotten of telephones: at once when somebody is erased, by itself when it is no longer needed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from broadcasts.sms.gateways.local_models import LocalSms
from broadcasts.sms.models import InboundStep, SmsInbound, SmsMessage
from broadcasts.sms.sending.expansion import NOBODY
from broadcasts.sms.settings import SmsSettings
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.residents import extra

EVERY_S = 3600.0
GONE = "—"
UNUSED = timedelta(days=30)
"""After this a number somebody typed for an announcement is forgotten."""


def forget_numbers(session: Session, indexes: Sequence[bytes]) -> int:
    """Erase numbers, names and words of these telephones from all records; what was sent stays counted."""
    messages = (
        update(SmsMessage)
        .where(SmsMessage.phone_index.in_(indexes))
        .values(sealed=b"", masked=GONE, resident_id=NOBODY)
        .returning(SmsMessage.id)
        .execution_options(synchronize_session=False)
    )
    found = len(session.scalars(messages).all())
    letters = session.scalars(select(SmsInbound.id).where(SmsInbound.phone_index.in_(indexes))).all()
    _empty(session, list(letters), masked=True)
    session.execute(delete(LocalSms).where(LocalSms.phone_index.in_(indexes)))
    return found + len(letters)


def _empty(session: Session, letters: Sequence[object], *, masked: bool = False) -> None:
    values: dict[str, object] = {"sealed": b"", "text": ""}
    if masked:
        values |= {"masked": GONE, "resident_id": None}
    these = update(SmsInbound).where(SmsInbound.id.in_(letters)).values(values)
    session.execute(these.execution_options(synchronize_session=False))
    session.execute(
        update(InboundStep)
        .where(InboundStep.inbound_id.in_(letters))
        .values(note="")
        .execution_options(synchronize_session=False)
    )


class Forgetting:
    """Forgets by itself. `step` fits `hub.core.background.Loop`."""

    def __init__(self, sessions: Sessions, settings: SmsSettings, *, clock: Clock) -> None:
        self._sessions, self._settings, self._clock = sessions, settings, clock

    def step(self) -> float:
        """Empty letters that were closed long ago, and forget numbers nobody has typed for a month."""
        now: datetime = self._clock()
        old = now - timedelta(days=self._settings.forget_numbers_after_d)
        closed = select(SmsInbound.id).where(SmsInbound.handled_at < old, SmsInbound.sealed != b"").limit(500)
        with self._sessions.read() as session:
            letters = session.scalars(closed).all()
        with self._sessions.begin() as session:
            if letters:
                _empty(session, letters)
            extra.forget(session, unused_since=now - UNUSED)
        return 0.0 if len(letters) == 500 else EVERY_S
