"""Planning, expanding, progress, lists, and who may see them."""

from datetime import timedelta

import pytest
from smslab import (
    BRIDGE,
    EAST,
    NOON,
    PINE,
    WEST,
    WILLOW,
    Lab,
    accept,
    always,
    blocked,
    crowd,
    lab_actor,
    lab_run,
    lab_settings,
    mobile,
    somebody,
)
from sqlalchemy import func, select
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.sms.gateway import Refusal, Refused, Unknown
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.sending.outbox import check_text, estimate
from broadcasts.sms.states import Lane, MessageState, RunState
from hub.audit.models import AuditEntry
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.residents.models import BlockReason

S = MessageState


def expanded(lab: Lab, **given: object) -> SmsRun:
    lab.gateway.answer = always(Refused(Refusal.THROTTLED))
    with lab.sessions.begin() as session:
        run = lab_run(session, **given)  # type: ignore[arg-type]
    with lab.sessions.begin() as session:
        assert expand_next(session, Lane.ORDINARY, now=lab.clock.now) == run.broadcast_id
    return run


def test_planning_writes_one_row_and_asks_nobody(lab: Lab) -> None:
    crowd(lab.sessions, 50)
    with lab.sessions.begin() as session:
        lab_run(session)
    with lab.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(SmsMessage)) == 0
        assert session.scalars(select(SmsRun.state)).all() == [RunState.EXPANDING]
    assert not lab.gateway.calls


def test_planning_twice_is_planning_once(lab: Lab) -> None:
    broadcast_id = uuid7()
    for _ in range(2):
        with lab.sessions.begin() as session:
            lab_run(session, broadcast_id=broadcast_id)
    with lab.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(SmsRun)) == 1


def test_an_empty_text_is_refused(lab: Lab) -> None:
    with lab.sessions.begin() as session, pytest.raises(BadInput, match="sms_text_missing"):
        lab_run(session, text="  ")


def test_one_number_gets_one_message_however_many_share_it(lab: Lab) -> None:
    with lab.sessions.begin() as session:
        somebody(session, mobile(1), mobile(2), name="父", tags=["独居老人", "沿河户"])
        somebody(session, mobile(1), name="母", region=BRIDGE)
        somebody(session, mobile(1), name="子", region=WILLOW)
    expanded(lab, tags=())
    with lab.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(SmsMessage)) == 2


def test_only_those_below_the_regions_with_one_of_the_tags_are_meant(lab: Lab) -> None:
    with lab.sessions.begin() as session:
        somebody(session, mobile(1), tags=["沿河户"])
        somebody(session, mobile(2), tags=["独居老人", "沿河户"])
        somebody(session, mobile(3))
        somebody(session, mobile(4), tags=["沿河户"], region=WILLOW)
    run = expanded(lab, regions=[EAST], tags=["沿河户", "独居老人"])
    with lab.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(SmsMessage)) == 2
        reach = outbox.reach(session, Audience((EAST,), sms=True, tags=("沿河户", "独居老人")))
    assert (reach.residents, reach.mobiles) == (2, 2)
    assert run.parts == 1


def test_those_who_get_nothing_are_listed_with_the_reason(lab: Lab) -> None:
    with lab.sessions.begin() as session:
        somebody(session, mobile(1), "0871-6123456", name="一")
        somebody(session, mobile(2), name="二")
        somebody(session, mobile(3), name="三")
        blocked(session, mobile(2), BlockReason.OPTED_OUT)
        blocked(session, mobile(3), BlockReason.WRONG_NUMBER)
    run = expanded(lab)
    with lab.sessions.read() as session:
        progress = outbox.progress(session, run.broadcast_id)
        reach = outbox.reach(session, Audience((EAST,), sms=True))
    assert progress is not None
    assert progress.suppressed == {"not_smsable": 1, "opted_out": 1, "wrong_number": 1}
    assert progress.counts[S.CREATED] == 1
    assert (reach.mobiles, reach.landlines, reach.opted_out, reach.wrong_numbers) == (3, 1, 1, 1)
    assert (reach.routine, reach.emergency) == (1, 2)


def test_whoever_moves_in_later_gets_nothing_of_an_old_broadcast(lab: Lab) -> None:
    expanded(lab)
    crowd(lab.sessions, 5)
    lab.clock.pass_(seconds=60)
    lab.work()
    assert not lab.gateway.calls


def test_progress_counts_parts_and_money(lab: Lab) -> None:
    crowd(lab.sessions, 11)
    with lab.sessions.begin() as session:
        run = lab_run(session, text="村" * 80)
    lab.work()
    with lab.sessions.read() as session:
        progress = outbox.progress(session, run.broadcast_id)
    assert progress is not None
    assert (progress.parts_each, progress.parts, progress.fen) == (2, 22, 99)
    assert estimate("村" * 80, 11, lab_settings()) == (2, 99)


def test_a_broadcast_without_messages_has_no_progress(lab: Lab) -> None:
    with lab.sessions.read() as session:
        assert outbox.progress(session, uuid7()) is None


def test_the_list_shows_names_and_half_hidden_numbers_page_by_page(lab: Lab) -> None:
    crowd(lab.sessions, 5)
    run = expanded(lab)
    with lab.sessions.read() as session:
        first = outbox.messages(session, lab_actor(), run.broadcast_id, limit=3)
        rest = outbox.messages(session, lab_actor(), run.broadcast_id, after=first[-1].id, limit=3)
    assert [len(first), len(rest)] == [3, 2]
    assert {line.masked[3:7] for line in first + rest} == {"****"}
    assert {line.name for line in first + rest} == {f"村民{i}" for i in range(5)}


def test_the_list_can_be_narrowed_to_a_state_and_a_village(lab: Lab) -> None:
    with lab.sessions.begin() as session:
        pine, bridge = somebody(session, mobile(1)), somebody(session, mobile(2), region=BRIDGE)
        blocked(session, mobile(2), BlockReason.OPTED_OUT)
    run = expanded(lab)
    with lab.sessions.read() as session:
        here = outbox.messages(session, lab_actor(), run.broadcast_id, region_path=pine.region_path)
        quiet = outbox.messages(session, lab_actor(), run.broadcast_id, state=S.SUPPRESSED)
    assert [line.region_path for line in here] == [pine.region_path]
    assert [line.region_path for line in quiet] == [bridge.region_path]


def test_a_stranger_sees_no_message(lab: Lab) -> None:
    crowd(lab.sessions, 3)
    run = expanded(lab)
    with lab.sessions.read() as session:
        assert outbox.messages(session, lab_actor(WEST), run.broadcast_id) == []
        assert outbox.messages(session, lab_actor(EAST, Permission.SEE), run.broadcast_id) == []
        assert len(outbox.messages(session, lab_actor(PINE), run.broadcast_id)) == 3


def test_a_stranger_can_neither_resume_nor_resend(lab: Lab) -> None:
    crowd(lab.sessions, 1)
    run = expanded(lab, regions=[EAST])
    with lab.sessions.begin() as session:
        for who in (lab_actor(WEST), lab_actor(PINE)):
            with pytest.raises(NotFound):
                outbox.resume(session, who, run.broadcast_id, now=NOON)
            with pytest.raises(NotFound):
                outbox.resend_unknown(session, who, run.broadcast_id, expires_at=NOON, now=NOON)
        with pytest.raises(NotAllowed):
            outbox.resume(session, lab_actor(EAST, Permission.SEE), run.broadcast_id, now=NOON)


def test_a_run_that_stood_still_goes_on_when_somebody_says_so(lab: Lab) -> None:
    crowd(lab.sessions, 4)
    lab.gateway.answer = always(Refused(Refusal.CONFIGURATION, "20003"))
    with lab.sessions.begin() as session:
        run = lab_run(session)
    lab.work()
    lab.gateway.answer = accept
    with lab.sessions.begin() as session:
        outbox.resume(session, lab_actor(), run.broadcast_id, now=NOON)
        with pytest.raises(WrongState, match="sms_not_paused"):
            outbox.resume(session, lab_actor(), run.broadcast_id, now=NOON)
    lab.work()
    assert len(lab.gateway.calls) == 2
    with lab.sessions.read() as session:
        assert session.scalars(select(AuditEntry.deed)).all() == ["sms.resume"]


def test_the_unknown_are_sent_again_only_when_somebody_asks_for_it(lab: Lab) -> None:
    crowd(lab.sessions, 6)
    lab.gateway.answer = always(Unknown("timeout"))
    with lab.sessions.begin() as session:
        run = lab_run(session)
    lab.work_on(30)
    lab.gateway.answer = accept
    with lab.sessions.begin() as session:
        later = lab.clock.now + timedelta(hours=2)
        again = outbox.resend_unknown(session, lab_actor(), run.broadcast_id, expires_at=later, now=lab.clock.now)
        with pytest.raises(WrongState, match="sms_nothing_unknown"):
            outbox.resend_unknown(session, lab_actor(), run.broadcast_id, expires_at=later, now=lab.clock.now)
    assert again == 6
    lab.work_on(5)
    assert len(lab.gateway.numbers) == 12
    with lab.sessions.read() as session:
        progress = outbox.progress(session, run.broadcast_id)
    assert progress is not None
    assert progress.counts[S.SENT] == 6
    assert progress.state is RunState.DONE


def test_calling_off_a_repetition_leaves_it_unknown_because_the_first_may_have_gone(lab: Lab) -> None:
    crowd(lab.sessions, 1)
    lab.gateway.answer = always(Unknown("timeout"))
    with lab.sessions.begin() as session:
        run = lab_run(session)
    lab.work()
    with lab.sessions.begin() as session:
        outbox.resend_unknown(session, lab_actor(), run.broadcast_id, expires_at=NOON, now=NOON)
        assert outbox.call_off(session, run.broadcast_id, NOON) == 1
        assert session.scalars(select(SmsMessage.state)).all() == [S.UNKNOWN]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("明天停水", []),
        (" ", ["sms_text_missing"]),
        ("村" * 500, ["sms_text_too_long"]),
        ("【镇政府】停水", ["sms_text_brackets"]),
    ],
)
def test_a_text_is_checked_before_anybody_approves_it(text: str, codes: list[str]) -> None:
    assert [problem.code for problem in check_text(text, "青石镇")] == codes
