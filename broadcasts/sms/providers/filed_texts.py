"""The ready-made texts a provider has approved, as its gateway needs them: looked up every few seconds."""

import time
from collections.abc import Sequence

from sqlalchemy import select

from broadcasts.sms.wording_models import FilingState, SmsFiling, SmsTemplate
from hub.core.db import Sessions

GOOD_FOR_S = 5.0
"""A gateway asks for every text and every turn of the pump; another process may have written in the meantime."""


class FiledTexts:
    """By provider. Texts are as the hub writes them: blanks are `{地点}`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}
        self._until = 0.0

    def of(self, provider: str) -> Sequence[tuple[str, str]]:
        """Return the codes of what a provider has approved, and the texts."""
        if time.monotonic() >= self._until:
            self._known, self._until = self._read(), time.monotonic() + GOOD_FOR_S
        return self._known.get(provider, ())

    def forget(self) -> None:
        """Look anew the next time: something was changed."""
        self._until = 0.0

    def _read(self) -> dict[str, tuple[tuple[str, str], ...]]:
        wanted = (
            select(SmsFiling.provider, SmsFiling.code, SmsTemplate.text)
            .join(SmsTemplate, SmsTemplate.id == SmsFiling.template_id)
            .where(SmsFiling.state == FilingState.APPROVED, SmsFiling.code != "")
            .order_by(SmsFiling.changed_at)
        )
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        with self._sessions.read() as session:
            for provider, code, text in session.execute(wanted):
                found[provider] = (*found.get(provider, ()), (code, text))
        return found
