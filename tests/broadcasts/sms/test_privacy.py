"""No telephone number in any log record or on any object's face, over a whole run."""

import logging

import pytest
from smslab import NOON, SHANGHAI, LabClock, crowd, lab_routes, lab_run, lab_safe, lab_settings, mobile

from broadcasts.sms.gateway import GatewayContext
from broadcasts.sms.gateways.local import Switches, open_gateway, set_switches
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane
from hub.core.db import Sessions


def test_a_whole_run_with_trouble_leaves_no_number_in_the_log(
    sms_sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    people = 40
    crowd(sms_sessions, people)
    clock = LabClock()
    gateway = open_gateway(GatewayContext(lab_settings(), sms_sessions, lab_safe(), clock, ""))
    with sms_sessions.begin() as session:
        set_switches(session, Switches(fail_percent=20, drop_percent=50))
        lab_run(session)
    pump = SmsPump(
        sms_sessions, lab_safe(), lab_routes(gateway), clock, lab_settings(), zone=SHANGHAI, lane=Lane.ORDINARY
    )
    for minute in range(20):
        if minute in {3, 6}:
            with sms_sessions.begin() as session:
                set_switches(session, Switches(stopped=minute == 3))
                lab_run(session, now=clock.now)
        for _ in range(12):
            pump.step()
            gateway.step()
        gateway.simulate_reply(mobile(1), "收到")
        clock.pass_(seconds=20)
    pump.close()

    said = "\n".join(record.getMessage() + str(record.args) + str(record.exc_text) for record in caplog.records)
    assert "is in trouble" in said, "the run was meant to have trouble worth logging"
    for i in range(people):
        assert mobile(i)[3:] not in said
    assert clock.now > NOON
