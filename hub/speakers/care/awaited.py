"""Which commands to single loudspeakers still wait for an answer: kept in memory, so that others cost nothing."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.speakers.care.models import DeviceCommand, SelfTestRun
from hub.speakers.protocol import Receipt

PATIENCE: Final = timedelta(minutes=5)
"""How long an answer is waited for: as long as the command is valid."""
LATEST: Final = 2 * PATIENCE


class Awaited:
    """Ids of commands whose receipts belong to this room.

    `everything`: other processes send such commands too, so every receipt may be one; the tables tell them apart.
    """

    def __init__(self, *, everything: bool = False) -> None:
        self._everything = everything
        self._until: dict[str, datetime] = {}
        self._guard = threading.Lock()

    def add(self, command_ids: Iterable[str], now: datetime) -> None:
        """Listen for these."""
        with self._guard:
            self._until = {one: until for one, until in self._until.items() if until > now}
            self._until.update(dict.fromkeys(command_ids, now + LATEST))

    def of(self, receipts: Iterable[Receipt]) -> list[Receipt]:
        """Return the receipts that somebody here waits for."""
        if self._everything:
            return [receipt for receipt in receipts if receipt.id is not None]
        known = self._until
        return [receipt for receipt in receipts if receipt.id is not None and receipt.id in known]

    def remember(self, session: Session, now: datetime) -> None:
        """Take up what was sent before this hub started."""
        sent = session.scalars(select(DeviceCommand.id).where(DeviceCommand.sent_at > now - PATIENCE)).all()
        unanswered = SelfTestRun.sent_at > now - PATIENCE, SelfTestRun.answered_at.is_(None)
        tests = session.scalars(select(SelfTestRun.command_id).where(*unanswered)).all()
        self.add((str(one) for one in (*sent, *tests)), now)
