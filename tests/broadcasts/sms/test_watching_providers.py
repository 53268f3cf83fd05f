"""系统状态 names the providers of text messages that are out of money or order, with their own code."""

from dataclasses import replace

import pytest
from smslab import NOON, LabGateway

from broadcasts.sms.gateway import Refusal, Refused
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.providers.routing import Routes, routes_of
from broadcasts.sms.providers.watching import examine
from broadcasts.sms.states import Lane
from hub.core.checks import Level

NO_MONEY = Refused(Refusal.CONFIGURATION, "isv.AMOUNT_NOT_ENOUGH")
BUSY = Refused(Refusal.THROTTLED, "limit")


def routes(*names: str) -> Routes:
    return routes_of({name: LabGateway(name=name) for name in names}, [[(name, 1)] for name in names], 8)


@pytest.mark.parametrize(
    ("learnt", "found"),
    [
        ({}, {"check_sms": Level.GOOD}),
        ({"one": NO_MONEY}, {"check_sms_out": Level.LOOK, "check_sms": Level.GOOD}),
        ({"one": BUSY}, {"check_sms_resting": Level.LOOK}),
        ({"one": NO_MONEY, "two": NO_MONEY}, {"check_sms_nobody": Level.BAD}),
    ],
)
def test_who_cannot_send_is_named(learnt: dict[str, Refused], found: dict[str, Level]) -> None:
    known = routes("one", "two")
    for name, answer in learnt.items():
        known.learn(Lane.ORDINARY, name, [(1, answer)], NOON)
    told = list(examine(SmsProvider(known, {})))
    assert {each.code: each.level for each in told} == found
    if "one" in learnt and learnt["one"] is NO_MONEY:
        assert "isv.AMOUNT_NOT_ENOUGH" in str([each.params for each in told])


def test_of_simulated_phones_there_is_nothing_to_say() -> None:
    known = routes("one")
    gateway = known.lines[0].gateway
    assert isinstance(gateway, LabGateway)
    gateway.caps = replace(gateway.caps, simulated=True)
    assert list(examine(SmsProvider(known, {}))) == []
