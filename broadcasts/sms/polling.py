"""Fetch reports and replies from providers that do not report by themselves."""

import logging

from broadcasts.sms.gateway import PolledGateway
from broadcasts.sms.letters import inbound
from broadcasts.sms.sending import receipts
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.residents.phones import PhoneSafe

log = logging.getLogger(__name__)
EVERY_S, AFTER_TROUBLE_S = 2.0, 20.0


class Poller:
    """Asks one provider every two seconds. What it hands over is stored before it is told that it may forget it."""

    def __init__(self, sessions: Sessions, safe: PhoneSafe, name: str, gateway: PolledGateway, clock: Clock) -> None:
        self._sessions, self._safe, self._name, self._gateway, self._clock = sessions, safe, name, gateway, clock

    def step(self) -> float:
        """Ask once; return the seconds to rest."""
        now = self._clock()
        try:
            polled = self._gateway.poll(now)
        except Exception as error:  # noqa: BLE001 - its words may hold a number, so only its kind is logged
            log.warning("gateway %s cannot be asked: %s", self._name, type(error).__name__)
            return AFTER_TROUBLE_S
        with self._sessions.begin() as session:
            if polled.receipts:
                receipts.record(session, self._name, polled.receipts, now, receipts.number_index(self._safe))
            if polled.inbound:
                inbound.receive(session, self._safe, self._name, polled.inbound, now=now)
        polled.done()
        return EVERY_S
