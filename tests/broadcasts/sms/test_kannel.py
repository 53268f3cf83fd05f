"""Kannel with its fake carrier: every message out, two reports each, one resident who wants no more."""

import logging
import os
from collections import Counter
from pathlib import Path

import pytest
from brokerlab import free_port
from builders import BRIDGE
from carrierlab import hub_with, kannel_in, wait_for
from smslab import crowd, lab_run, mobile
from sqlalchemy import func, select

from broadcasts.sms.gateway import inbound_path
from broadcasts.sms.models import SmsMessage, SmsReceipt
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Lane, MessageState, Priority
from hub.core.clock import utc_now
from hub.core.runtime import Runtime
from hub.residents.models import BlockedNumber
from hub.residents.phones import PhoneSafe

pytestmark = [pytest.mark.slow, pytest.mark.web]
PEOPLE = 1000 if os.environ.get("CUNXIANG_LONG") == "1" else 100
LEAVES = "+8613800000003 10650 ucs2 %90%00%8b%a2"
"""退订, as a phone writes it."""


def states(runtime: Runtime) -> Counter[MessageState]:
    with runtime.sessions.read() as session:
        return Counter(session.scalars(select(SmsMessage.state)))


def reports(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(SmsReceipt)) or 0


def blocked(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(BlockedNumber)) or 0


def test_everybody_gets_it_once_and_both_reports_come_back(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kannel, port = kannel_in(tmp_path), free_port()
    tables: dict[str, dict[str, object]] = {
        "sms": {"gateways": ("kannel",), "calls_at_once": 16},
        "kannel": {"url": kannel.url, "username": "hub", "password": "secret", "sender": "10650"},
    }
    with hub_with(runtime.config.data_dir, utc_now, port, tables) as (_, opened):
        provider, safe = opened.get(SmsProvider), opened.get(PhoneSafe)
        crowd(opened.sessions, PEOPLE, region=BRIDGE, safe=safe)
        inbound_url = f"{opened.base_url}{inbound_path('kannel', provider.tokens['kannel'])}"
        with kannel.running(inbound_url, [LEAVES]):
            with opened.sessions.begin() as session:
                lab_run(session, regions=(BRIDGE,), priority=Priority.EMERGENCY, now=utc_now())
            settings = opened.config.section(SmsSettings)
            pump = SmsPump(
                opened.sessions, safe, provider.routes, utc_now, settings, zone=opened.zone, lane=Lane.EMERGENCY
            )
            while pump.step() == 0.0:
                pass
            wait_for(lambda: states(opened)[MessageState.DELIVERED] >= PEOPLE, "reports are missing", within_s=60)
            wait_for(lambda: reports(opened) >= 2 * PEOPLE, "the carrier's own reports are missing")
            wait_for(lambda: blocked(opened) >= 1, "退订 did not arrive")
            pump.close()
    assert states(opened) == {MessageState.DELIVERED: PEOPLE}
    carried = (tmp_path / "fakesmsc.log").read_text(encoding="utf-8", errors="replace")
    got = Counter(line.split("<10650 ")[1][:11] for line in carried.splitlines() if "Got message" in line)
    assert got == Counter(mobile(i)[3:] for i in range(PEOPLE)), "somebody got it twice or not at all"
    assert not [i for i in range(PEOPLE) if mobile(i)[3:] in caplog.text], "a number stands in our log"
