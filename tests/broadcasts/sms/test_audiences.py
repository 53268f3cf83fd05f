"""Whom a message is meant for: groups, exclusions, whereabouts, single numbers, each telephone once."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from smslab import (
    BRIDGE,
    COUNTY,
    NOON,
    PINE,
    SHANGHAI,
    Lab,
    blocked,
    lab_safe,
    lab_settings,
    mobile,
    somebody,
)
from sqlalchemy import select
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.purposes import About, Limits
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.states import Lane, MessageState, Priority
from hub.core.db import Sessions
from hub.core.errors import BadInput
from hub.residents import extra, topics
from hub.residents.models import AwayConsent, BlockReason
from hub.residents.wanted import Away

SUPPRESSED = MessageState.SUPPRESSED
LIMITS = Limits(2, timedelta(minutes=10), SHANGHAI)


def sent(
    sessions: Sessions,
    audience: Audience,
    *,
    priority: Priority = Priority.ROUTINE,
    topic: str = "fraud",
    text: str = "小心骗子",
    limits: Limits | None = None,
) -> dict[str, str]:
    """Send to an audience; return the last digits of every number with the reason it got nothing (empty: it did)."""
    lane = Lane.EMERGENCY if priority is Priority.EMERGENCY else Lane.ORDINARY
    run_id = uuid7()
    with sessions.begin() as session:
        outbox.plan_run(
            session,
            broadcast_id=run_id,
            text=text,
            signature="青石镇",
            audience=audience,
            priority=priority,
            expires_at=NOON + timedelta(hours=6),
            settings=lab_settings(),
            now=NOON,
            about=About(topic),
        )
    with sessions.begin() as session:
        assert expand_next(session, lane, now=NOON, limits=limits) == run_id
    with sessions.read() as session:
        rows = session.scalars(select(SmsMessage).where(SmsMessage.broadcast_id == run_id)).all()
        routine, urgent = (
            outbox.reach(session, audience, topic=topic).routine,
            outbox.reach(session, audience).emergency,
        )
    found = {row.masked[-2:]: row.reason for row in rows}
    assert len(found) == len(rows), "nobody gets it twice"
    assert all((row.state is SUPPRESSED) == bool(row.reason) for row in rows)
    if limits is None:
        got = sum(1 for reason in found.values() if not reason)
        assert got == (urgent if priority is Priority.EMERGENCY else routine), "the promise before is what went out"
    return found


def to(*regions: str, tags: Sequence[str] = (), **given: object) -> Audience:
    return Audience(regions or (COUNTY,), speakers=False, sms=True, tags=tuple(tags), **given).checked()  # type: ignore[arg-type]


@pytest.fixture
def village(lab: Lab) -> Sessions:
    with lab.sessions.begin() as session:
        somebody(session, mobile(11), name="李大爷", tags=["独居老人", "沿河户"])
        somebody(session, mobile(12), name="王婶", tags=["沿河户"])
        somebody(session, mobile(13), name="陈村长", tags=["沿河户", "村干部"])
        somebody(session, mobile(14), mobile(11), name="李大爷的儿子", region=BRIDGE)
        somebody(session, "0871-65123450", name="座机", tags=["沿河户"])
    return lab.sessions


def test_one_tag_any_tag_and_every_tag(village: Sessions) -> None:
    assert sent(village, to(tags=["独居老人", "村干部"])) == {"11": "", "13": ""}
    assert sent(village, to(tags=["独居老人", "沿河户"], every_tag=True)) == {"11": ""}
    assert sent(village, to(tags=["沿河户"])) == {"11": "", "12": "", "13": "", "50": "not_smsable"}


def test_who_is_left_out_gets_nothing_on_any_of_their_numbers(village: Sessions) -> None:
    assert set(sent(village, to(without_tags=["独居老人"]))) == {"12", "13", "14", "50"}
    with pytest.raises(BadInput, match="tag_wanted_and_not"):
        to(tags=["沿河户"], without_tags=["沿河户"])


def test_single_numbers_come_besides_and_each_telephone_once(village: Sessions) -> None:
    with village.begin() as session:
        keys = extra.note_typed(session, "13800000099\n138 0000 0012，13800000099", safe=lab_safe(), now=NOON)
    assert len(keys) == 2
    assert set(sent(village, to(PINE, tags=["村干部"], numbers=keys))) == {"13", "99", "12"}
    assert set(sent(village, to(PINE, people=False, numbers=keys))) == {"99", "12"}
    with village.read() as session:
        stored = to(PINE, numbers=keys).as_json()
        assert "13800000099" not in str(stored)
        assert Audience.from_json(stored) == to(PINE, numbers=keys)


def test_a_wrong_number_among_them_is_named_by_its_place_and_not_repeated(village: Sessions) -> None:
    with village.begin() as session, pytest.raises(BadInput) as refused:
        extra.note_typed(session, "13800000099\n1380000009", safe=lab_safe(), now=NOON)
    assert (refused.value.code, refused.value.field, refused.value.params["at"]) == ("extra_number_wrong", "numbers", 2)


def away(sessions: Sessions, number: str, consent: AwayConsent) -> None:
    with sessions.begin() as session:
        found = somebody(session, number, name="在外")
        found.away, found.away_consent = True, consent


def test_people_away_get_what_they_agreed_to(lab: Lab) -> None:
    for number, consent in ((31, AwayConsent.YES), (32, AwayConsent.NO), (33, AwayConsent.UNASKED)):
        away(lab.sessions, mobile(number), consent)
    with lab.sessions.begin() as session:
        somebody(session, mobile(34), name="在家")
    routine = {"31": "", "32": "away_refused", "33": "away_unasked", "34": ""}
    assert sent(lab.sessions, to()) == routine
    assert sent(lab.sessions, to(), priority=Priority.EMERGENCY) == routine | {"33": ""}
    assert set(sent(lab.sessions, to(away=Away.HOME))) == {"34"}
    assert set(sent(lab.sessions, to(away=Away.ONLY))) == {"31", "32", "33"}


def test_a_number_shared_with_somebody_at_home_is_written_to(lab: Lab) -> None:
    away(lab.sessions, mobile(41), AwayConsent.NO)
    with lab.sessions.begin() as session:
        somebody(session, mobile(41), name="在家的老伴", region=BRIDGE)
    assert sent(lab.sessions, to()) == {"41": ""}


def test_leaving_one_topic_keeps_the_others_and_emergencies(village: Sessions) -> None:
    with village.begin() as session:
        topics.leave(session, lab_safe().index(mobile(12)), "fraud", at=NOON)
        blocked(session, mobile(13), BlockReason.OPTED_OUT)
        blocked(session, mobile(14), BlockReason.WRONG_NUMBER)
    every = {"11": "", "12": "topic_opted_out", "13": "opted_out", "14": "wrong_number", "50": "not_smsable"}
    assert sent(village, to()) == every
    assert sent(village, to(), topic="law")["12"] == ""
    assert sent(village, to(), priority=Priority.EMERGENCY) == every | {"12": "", "13": ""}


def test_nobody_bears_more_than_so_many_a_day_nor_the_same_twice(village: Sessions) -> None:
    assert sent(village, to(PINE), text="一", limits=LIMITS)["11"] == ""
    assert sent(village, to(PINE), text="一", limits=LIMITS)["11"] == "same_text"
    assert sent(village, to(PINE), text="二", limits=LIMITS)["11"] == ""
    third = sent(village, to(), text="三", limits=LIMITS)
    assert (third["11"], third["14"]) == ("daily_limit", "")
    assert sent(village, to(), text="三", limits=LIMITS, priority=Priority.EMERGENCY)["11"] == ""
