"""The built-in gateway: phones that answer, and every way it can be told to misbehave."""

from collections import Counter
from dataclasses import dataclass

import pytest
from smslab import (
    COUNTY,
    NOON,
    SHANGHAI,
    WEST,
    LabClock,
    crowd,
    lab_actor,
    lab_routes,
    lab_run,
    lab_safe,
    lab_settings,
    mobile,
    somebody,
)
from sqlalchemy import delete, select

from broadcasts.sms.gateway import GatewayContext, WebhookRequest
from broadcasts.sms.gateways import local_phones
from broadcasts.sms.gateways.local import LocalGateway, Switches, open_gateway, set_switches
from broadcasts.sms.gateways.local_models import LocalSms
from broadcasts.sms.models import SmsInbound, SmsMessage
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.outbox import SmsProgress
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, MessageState, Priority
from hub.core.actor import Permission
from hub.core.db import Sessions
from hub.core.errors import BadInput, NotFound
from hub.residents.models import BlockedNumber, BlockReason

pytestmark = pytest.mark.slow

S = MessageState


@dataclass
class LocalLab:
    """An outbox on the built-in gateway."""

    sessions: Sessions
    clock: LabClock
    gateway: LocalGateway
    pumps: list[SmsPump]

    def send(
        self, *, switches: Switches | None = None, priority: Priority = Priority.ROUTINE, seconds: float = 8
    ) -> SmsProgress:
        with self.sessions.begin() as session:
            if switches:
                set_switches(session, switches)
            run = lab_run(session, priority=priority)
        lane = Lane.EMERGENCY if priority is Priority.EMERGENCY else Lane.ORDINARY
        pump = SmsPump(
            self.sessions, lab_safe(), lab_routes(self.gateway), self.clock, lab_settings(), zone=SHANGHAI, lane=lane
        )
        self.pumps.append(pump)
        for _ in range(int(seconds * 2)):
            while pump.step() == 0:
                pass
            while self.gateway.step() == 0:
                pass
            self.clock.pass_(seconds=0.5)
        with self.sessions.read() as session:
            progress = outbox.progress(session, run.broadcast_id)
        assert progress is not None
        return progress


@pytest.fixture
def phones_lab(sms_sessions: Sessions) -> LocalLab:
    clock = LabClock()
    context = GatewayContext(lab_settings(), sms_sessions, lab_safe(), clock, "")
    return LocalLab(sms_sessions, clock, open_gateway(context), [])


@pytest.fixture(autouse=True)
def _closed(phones_lab: LocalLab) -> object:
    yield
    for pump in phones_lab.pumps:
        pump.close()


def test_two_phones_in_a_hundred_are_off_and_the_others_get_it(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 1000)
    progress = phones_lab.send()
    off = sum(phones_lab.gateway.switched_off(mobile(i)) for i in range(1000))
    assert 10 <= off <= 32
    assert progress.counts[S.UNDELIVERED] == off
    assert progress.counts[S.DELIVERED] == 1000 - off
    with phones_lab.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.code).where(SmsMessage.state == S.UNDELIVERED))) == {
            "switched_off"
        }


def test_receipts_take_between_half_a_second_and_four(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 200)
    phones_lab.send()
    with phones_lab.sessions.read() as session:
        waits = [(sms.due_at - sms.sent_at).total_seconds() for sms in session.scalars(select(LocalSms)) if sms.due_at]
    assert len(waits) == 200
    assert 0.5 <= min(waits) < 0.8
    assert 3.7 < max(waits) <= 4.0


def test_the_same_seed_gives_the_same_course(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 50)
    phones_lab.send(switches=Switches(fail_percent=30))
    with phones_lab.sessions.begin() as session:
        courses = [
            {
                (sms.masked, sms.code, sms.due_at - sms.sent_at)
                for sms in session.scalars(select(LocalSms))
                if sms.due_at
            }
        ]
        session.execute(delete(LocalSms))
    phones_lab.send()
    with phones_lab.sessions.read() as session:
        courses.append(
            {
                (sms.masked, sms.code, sms.due_at - sms.sent_at)
                for sms in session.scalars(select(LocalSms))
                if sms.due_at
            }
        )
    assert courses[0] == courses[1]


def test_lost_answers_are_unknown_until_the_receipt_tells(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 30)
    with phones_lab.sessions.begin() as session:
        set_switches(session, Switches(drop_percent=100, extra_delay_s=600))
    progress = phones_lab.send()
    assert progress.counts[S.UNKNOWN] == 30
    phones_lab.clock.pass_(seconds=700)
    while phones_lab.gateway.step() == 0:
        pass
    with phones_lab.sessions.read() as session:
        states = Counter(session.scalars(select(SmsMessage.state)))
        assert states[S.UNKNOWN] == 0
        assert len(session.scalars(select(LocalSms.id)).all()) == 30, "a lost answer was followed by a second message"


def test_an_emergency_with_lost_answers_is_found_by_asking_and_not_repeated(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 30)
    switches = Switches(drop_percent=100, extra_delay_s=600)
    progress = phones_lab.send(switches=switches, priority=Priority.EMERGENCY, seconds=40)
    assert progress.counts[S.SENT] == 30
    with phones_lab.sessions.read() as session:
        assert len(session.scalars(select(LocalSms.id)).all()) == 30


def test_failing_messages_fail_in_about_the_wanted_share(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 400)
    progress = phones_lab.send(switches=Switches(fail_percent=50))
    assert 140 <= progress.counts[S.UNDELIVERED] <= 260


def test_a_stopped_gateway_takes_nothing_and_loses_nothing(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 30)
    progress = phones_lab.send(switches=Switches(stopped=True))
    assert progress.counts[S.CREATED] == 30
    assert progress.fen == 0


def test_a_phone_shows_its_messages_and_can_answer(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 3)
    phones_lab.send()
    clerk = lab_actor(COUNTY)
    with phones_lab.sessions.begin() as session:
        shown = local_phones.phones(session, clerk)
        assert {phone.name for phone in shown} == {"村民0", "村民1", "村民2"}
        assert {phone.bubbles[0].text for phone in shown} == {"【青石镇】明天上午停水"}
        assert {phone.bubbles[0].price_hundredths for phone in shown} == {450}
        local_phones.answer(session, clerk, shown[0].key, "退订。", safe=lab_safe(), now=NOON)
        assert [bubble.reply for bubble in local_phones.phone(session, clerk, shown[0].key).bubbles] == [False, True]
        assert session.scalars(select(BlockedNumber.reason)).all() == [BlockReason.OPTED_OUT]
        with pytest.raises(BadInput):
            local_phones.answer(session, clerk, shown[0].key, " ", safe=lab_safe(), now=NOON)


def test_pages_of_phones_do_not_overlap(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 7)
    phones_lab.send()
    with phones_lab.sessions.read() as session:
        first = local_phones.phones(session, lab_actor(), limit=4)
        second = local_phones.phones(session, lab_actor(), limit=4, before=first[-1].bubbles[-1].id)
    assert len({phone.key for phone in first + second}) == 7


def test_a_stranger_sees_no_phone_and_cannot_answer(phones_lab: LocalLab) -> None:
    crowd(phones_lab.sessions, 2)
    phones_lab.send()
    with phones_lab.sessions.begin() as session:
        key = local_phones.phones(session, lab_actor())[0].key
        for stranger in (lab_actor(WEST), lab_actor(COUNTY, Permission.SEE)):
            assert local_phones.phones(session, stranger) == []
            with pytest.raises(NotFound):
                local_phones.phone(session, stranger, key)
            with pytest.raises(NotFound):
                local_phones.answer(session, stranger, key, "退订", safe=lab_safe(), now=NOON)
        for wrong in ("", "zz", "00" * 16):
            with pytest.raises(NotFound):
                local_phones.phone(session, lab_actor(), wrong)


def test_a_reply_reaches_the_inbox(phones_lab: LocalLab) -> None:
    with phones_lab.sessions.begin() as session:
        somebody(session, mobile(1))
    phones_lab.gateway.simulate_reply(mobile(1), "我家屋后在滑坡")
    with phones_lab.sessions.read() as session:
        (kept,) = session.scalars(select(SmsInbound))
    assert kept.urgent
    assert kept.command == ""


def test_nobody_reports_to_it_over_the_web(phones_lab: LocalLab) -> None:
    request = WebhookRequest("/hooks/sms/local/receipts", {}, {"a": "b"})
    assert not phones_lab.gateway.verify(request)
    assert not phones_lab.gateway.parse_receipts(request, NOON)
    assert not phones_lab.gateway.parse_inbound(request, NOON)
