"""What residents write back."""

import pytest
from smslab import COUNTY, EAST, NOON, WEST, lab_actor, lab_safe, mobile, somebody
from sqlalchemy import select

from broadcasts.sms.letters import inbound, inbox
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.reports import Inbound
from hub.core.db import Sessions
from hub.core.errors import NotFound
from hub.residents.models import BlockedNumber, BlockReason


def wrote(sessions: Sessions, text: str, number: str = mobile(1), ref: str = "m1") -> list[SmsInbound]:
    with sessions.begin() as session:
        return inbound.receive(session, lab_safe(), "lab", [Inbound(number, text, ref, NOON)], now=NOON)


@pytest.mark.parametrize("text", ["退订", " 退订。", "ＴＤ", "td", "T", "stop", "拒收！", "【退订】"])
def test_a_message_that_says_nothing_but_no_opts_out(sms_sessions: Sessions, text: str) -> None:
    wrote(sms_sessions, text)
    with sms_sessions.read() as session:
        assert session.scalars(select(BlockedNumber.reason)).all() == [BlockReason.OPTED_OUT]
        assert inbox.inbox(session, lab_actor()) == []


@pytest.mark.parametrize("text", ["不要停水", "退订多少钱", "救命 T", "", "好的"])
def test_anything_else_is_kept_for_somebody_to_read(sms_sessions: Sessions, text: str) -> None:
    wrote(sms_sessions, text)
    with sms_sessions.read() as session:
        assert session.scalars(select(BlockedNumber.reason)).all() == []
        assert [kept.text for kept in inbox.inbox(session, lab_actor())] == [text]


def test_coming_back_undoes_opting_out_but_not_a_wrong_number(sms_sessions: Sessions) -> None:
    wrote(sms_sessions, "退订")
    wrote(sms_sessions, "恢复", ref="m2")
    with sms_sessions.begin() as session:
        assert session.scalars(select(BlockedNumber.reason)).all() == []
        session.add(BlockedNumber(index=lab_safe().index(mobile(1)), reason=BlockReason.WRONG_NUMBER, since=NOON))
    wrote(sms_sessions, "退订", ref="m3")
    wrote(sms_sessions, "订阅", ref="m4")
    with sms_sessions.read() as session:
        assert session.scalars(select(BlockedNumber.reason)).all() == [BlockReason.WRONG_NUMBER]


def test_the_same_message_again_is_kept_once(sms_sessions: Sessions) -> None:
    assert len(wrote(sms_sessions, "在吗")) == 1
    assert len(wrote(sms_sessions, "在吗")) == 0
    assert len(wrote(sms_sessions, "在吗", ref="m2")) == 1


def test_cries_for_help_are_marked(sms_sessions: Sessions) -> None:
    assert wrote(sms_sessions, "救命，水淹进屋了")[0].urgent
    assert not wrote(sms_sessions, "收到", ref="m2")[0].urgent


def test_only_those_responsible_see_a_message(sms_sessions: Sessions) -> None:
    with sms_sessions.begin() as session:
        somebody(session, mobile(1))
    wrote(sms_sessions, "几点停水")
    wrote(sms_sessions, "你是谁", number=mobile(9), ref="m2")
    wrote(sms_sessions, "验证码", number="10690000", ref="m3")
    with sms_sessions.begin() as session:
        assert len(inbox.inbox(session, lab_actor(COUNTY))) == 3
        (mine,) = inbox.inbox(session, lab_actor(EAST))
        assert inbox.inbox(session, lab_actor(WEST)) == []
        with pytest.raises(NotFound):
            inbox.handled(session, lab_actor(WEST), mine.id, now=NOON)
        inbox.handled(session, lab_actor(EAST), mine.id, now=NOON)
        assert inbox.inbox(session, lab_actor(EAST)) == []
