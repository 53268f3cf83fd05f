"""The same outbox on PostgreSQL: several workers at once, receipts, calling off."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from smslab import (
    NOON,
    PINE,
    SHANGHAI,
    Lab,
    LabClock,
    LabGateway,
    accept,
    blocked,
    crowd,
    fill_small_county,
    lab_actor,
    lab_routes,
    lab_run,
    lab_safe,
    lab_settings,
    mobile,
    somebody,
)
from sqlalchemy import Engine, select

from broadcasts.feedback.crying import CryingComplaints
from broadcasts.sms.gateway import GatewayContext, Unknown
from broadcasts.sms.gateways.local import open_gateway
from broadcasts.sms.gateways.local_phones import phones
from broadcasts.sms.letters import inbound
from broadcasts.sms.letters.crying import CryingLetters
from broadcasts.sms.letters.waking import Waking
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.sending import outbox, receipts
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, MessageState, Priority, RunState
from hub.core.db import Sessions
from hub.duty import service as duty
from hub.duty.service import PersonInput
from hub.residents import searching
from hub.residents.models import BlockReason

pytestmark = pytest.mark.postgres
S = MessageState


@pytest.fixture
def pg_lab(postgres_engine: Engine) -> Iterator[Lab]:
    made = Lab(fill_small_county(Sessions(postgres_engine)), LabGateway(), LabClock(), lab_settings())
    yield made
    for pump in made.pumps.values():
        pump.close()


def test_several_workers_at_once_write_to_everybody_once(pg_lab: Lab) -> None:
    crowd(pg_lab.sessions, 500)
    with pg_lab.sessions.begin() as session:
        blocked(session, mobile(7), BlockReason.OPTED_OUT)
        run = lab_run(session)
    pumps = [
        SmsPump(
            pg_lab.sessions,
            lab_safe(),
            lab_routes(pg_lab.gateway),
            pg_lab.clock,
            pg_lab.settings,
            zone=SHANGHAI,
            lane=Lane.ORDINARY,
        )
        for _ in range(4)
    ]

    def work(pump: SmsPump) -> None:
        idle = 0
        while idle < 5:
            idle = idle + 1 if pump.step() > 0 else 0

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, pumps))
    for pump in pumps:
        pump.close()
    wanted = Counter(mobile(i) for i in range(500) if i != 7)
    assert Counter(pg_lab.gateway.numbers) == wanted
    pg_lab.clock.pass_(seconds=3)
    pg_lab.work()
    with pg_lab.sessions.read() as session:
        progress = outbox.progress(session, run.broadcast_id)
        assert len(outbox.messages(session, lab_actor(), run.broadcast_id)) == 50
    assert progress is not None
    assert (progress.state, progress.counts[S.SENT], progress.suppressed) == (RunState.DONE, 499, {"opted_out": 1})


def test_reports_are_kept_once_and_raise_only(pg_lab: Lab) -> None:
    crowd(pg_lab.sessions, 3)
    with pg_lab.sessions.begin() as session:
        lab_run(session)
    pg_lab.work()
    with pg_lab.sessions.begin() as session:
        refs = session.scalars(select(SmsMessage.provider_ref).order_by(SmsMessage.id)).all()
        reports = [Receipt(ref, state) for ref in refs for state in (S.DELIVERED, S.SENT, S.UNDELIVERED, S.DELIVERED)]
        assert receipts.record(session, "lab", reports, NOON) == receipts.Recorded(9, 9, 3)
        assert receipts.record(session, "lab", reports, NOON) == receipts.Recorded(0, 0, 0)
        assert set(session.scalars(select(SmsMessage.state))) == {S.DELIVERED}


def test_an_emergency_of_unknown_fate_and_a_stop(pg_lab: Lab) -> None:
    crowd(pg_lab.sessions, 30)
    pg_lab.gateway.answer = lambda call: Unknown("timeout") if call.attempt == 1 else accept(call)
    with pg_lab.sessions.begin() as session:
        emergency = lab_run(session, priority=Priority.EMERGENCY)
        routine = lab_run(session)
    pg_lab.work_on(40, Lane.EMERGENCY, stride=5)
    with pg_lab.sessions.begin() as session:
        outbox.call_off(session, routine.broadcast_id, NOON)
        done = outbox.progress(session, emergency.broadcast_id)
    assert done is not None
    assert done.counts[S.SENT] == 30
    assert (done.parts, done.fen) == (60, 270), "each may be on two bills"


def test_the_built_in_gateway_and_the_lists_work_there_too(pg_lab: Lab) -> None:
    crowd(pg_lab.sessions, 60)
    context = GatewayContext(pg_lab.settings, pg_lab.sessions, lab_safe(), pg_lab.clock, "")
    gateway = open_gateway(context)
    with pg_lab.sessions.begin() as session:
        lab_run(session)
    pump = SmsPump(
        pg_lab.sessions,
        lab_safe(),
        lab_routes(gateway),
        pg_lab.clock,
        pg_lab.settings,
        zone=SHANGHAI,
        lane=Lane.ORDINARY,
    )
    for _ in range(10):
        while pump.step() == 0 or gateway.step() == 0:
            pass
        pg_lab.clock.pass_(seconds=0.5)
    pump.close()
    gateway.simulate_reply(mobile(3), "退订")
    with pg_lab.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.state))) <= {S.DELIVERED, S.UNDELIVERED}
        assert phones(session, lab_actor(), limit=1)[0].masked == "138****0003"
        first = searching.list_residents(session, lab_actor(), safe=lab_safe(), limit=40)
        rest = searching.list_residents(session, lab_actor(), safe=lab_safe(), limit=40, after=first.after)
    assert len({r.id for r in first.residents + rest.residents}) == 60


def test_several_processes_wake_one_person_for_cries_of_one_village(pg_lab: Lab) -> None:
    with pg_lab.sessions.begin() as session:
        for i in (901, 902):
            given = PersonInput(PINE, f"值班{i}", "", mobile(i), "")
            duty.add_person(session, lab_actor(), given, safe=lab_safe(), now=NOON)
        somebody(session, mobile(1))
        somebody(session, mobile(2))
        for i in (1, 2):
            inbound.receive(session, lab_safe(), "lab", [Inbound(mobile(i), "救命", f"a{i}", NOON)], now=NOON)
    doors = (CryingLetters(), CryingComplaints())
    looking = [Waking(pg_lab.sessions, lab_settings(), doors, clock=pg_lab.clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Waking.step, looking))
    pg_lab.work(Lane.EMERGENCY)
    assert pg_lab.gateway.numbers == [mobile(901)]
