"""播出登记 in the field's columns: whose notice it was, who passed it, what became of an emergency."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from builders import NORTH, a_draft, the_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sheetlab import Desk

from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals import service as approval_rules
from broadcasts.approvals.models import Opinion
from broadcasts.approvals.rules import ANYBODY, Matter, Reach
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.loudspeaker.orders import Sound
from broadcasts.reports import verdicts
from broadcasts.reports.verdicts import Verdict
from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

SignIn = Callable[[str], FlaskClient]
ASKED = f"span=month&day=2026-11-23&region={NORTH}"
SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")


def rows_of(client: FlaskClient) -> list[dict[str, object]]:
    sheet = load_workbook(BytesIO(client.get(f"/coverage/ledger.xlsx?{ASKED}").data)).worksheets[0]
    names, *rows = sheet.iter_rows(values_only=True)
    # The three reviews have columns of the same name: each name counts the columns under the review before it.
    keys, review = [], ""
    for name in names:
        review = str(name) if name in ("初审", "复审", "终审") else review
        keys.append(f"{review}{name}" if name in ("时间", "意见") else str(name))
    return [dict(zip(keys, row, strict=True)) for row in rows]


def test_three_reviewers_and_the_source_stand_in_the_ledger(sign_in: SignIn, runtime: Runtime) -> None:
    rules = runtime.get(Rules)
    with runtime.sessions.begin() as session:
        for number in (2, 3):
            accounts.create_account(
                session, SYSTEM, login=f"chief{number}", name=f"领导{number}", password="",
                grants=[(Role.APPROVER, path_of(NORTH))], now=NOON,
            )  # fmt: skip
        approval_rules.set_rule(
            session, the_actor(session, "county"), NORTH, Matter.WORDS, Reach.ANY, [ANYBODY] * 3, now=NOON
        )
        clerk = the_actor(session, "clerk")
        draft = a_draft(title="停电通知", issuer=" 县供电公司 ", issuer_ref="供电〔2026〕8号")
        notice = announcements.create(session, clerk, draft, now=NOON)
        announcements.submit(session, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
        for minutes, login in enumerate(("approver", "chief2", "chief3"), start=1):
            announcements.approve(
                session, the_actor(session, login), notice.id, rules=rules, timetable=runtime.get(Timetable),
                now=NOON + timedelta(minutes=minutes),
            )  # fmt: skip
    (row,) = rows_of(sign_in("clerk"))
    assert (row["来源单位"], row["原文号或预警编号"]) == ("县供电公司", "供电〔2026〕8号")
    assert (row["送审人"], row["初审"], row["复审"], row["终审"]) == ("北镇广播员", "北镇副镇长", "领导2", "领导3")
    assert (row["终审时间"], row["终审意见"]) == ("2026-11-23 10:03", "通过")
    page = sign_in("clerk").get(f"/coverage/ledger?{ASKED}").text
    assert "县供电公司 供电〔2026〕8号" in page
    assert page.index("初审：北镇副镇长") < page.index("复审：领导2") < page.index("终审：领导3")
    assert "停电通知" not in sign_in("stranger").get("/coverage/ledger?span=month&day=2026-11-23").text


def test_the_source_is_part_of_what_is_approved(runtime: Runtime) -> None:
    rules = rules_of(runtime)
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        notice = announcements.create(session, clerk, a_draft(issuer="县供电公司"), now=NOON)
        announcements.submit(session, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
        before = notice.content_hash
        announcements.save(session, clerk, notice.id, a_draft(issuer="县水务局"), now=NOON)
        announcements.submit(session, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
        assert notice.content_hash != before


def test_the_form_keeps_the_source_and_refuses_one_that_is_too_long(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    form = {"title": "停水", "text": "明天停水。", "region": NORTH, "channel": "speakers", "when": "now"}
    kept = client.post("/compose", data=form | {"do": "save", "issuer": "自来水厂", "issuer_ref": "水〔2026〕3号"})
    page = client.get(kept.location).text
    assert "自来水厂" in page
    assert "水〔2026〕3号" in page
    refused = client.post("/compose", data=form | {"do": "submit", "issuer": "厂" * 61})
    assert refused.status_code == 422
    assert "来源单位和文号最多各 60 个字" in refused.text


def test_what_a_sheet_plays_was_passed_with_the_sheet(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    desk = Desk(runtime)
    desk.run(desk.recording())
    desk.fire(NOON.replace(hour=10))  # 18:00 in Shanghai
    (row,) = rows_of(sign_in("clerk"))
    assert (row["送审人"], row["终审"], row["播音方式"]) == ("北镇广播员", "北镇副镇长", "文字转语音")


@pytest.mark.parametrize(
    ("number", "steps", "expected"), [(1, 1, 3), (1, 2, 1), (2, 2, 3), (1, 3, 1), (2, 3, 2), (3, 3, 3)]
)
def test_the_last_review_is_always_the_final_one(number: int, steps: int, expected: int) -> None:
    assert verdicts.column(number, steps) == expected


def test_only_what_was_passed_before_it_went_out_counts() -> None:
    def said(hour: int) -> Verdict:
        return Verdict(1, "山", "", Opinion.PASSED, "", datetime(2026, 11, 23, hour, tzinfo=NOON.tzinfo))

    first, second = (said(8),), (said(12), said(14))
    assert verdicts.by_then([first, second], said(13).at) == first
    assert verdicts.by_then([first, second], said(14).at) == second
    assert verdicts.by_then([first], said(7).at) == ()


def test_who_handed_in_is_who_did_so_last_before_it_went_out() -> None:
    rounds = [(NOON, "云"), (NOON + timedelta(hours=2), "水")]
    assert verdicts.handed_in_by(rounds, NOON + timedelta(hours=1)) == "云"
    assert verdicts.handed_in_by(rounds, NOON + timedelta(hours=3)) == "水"
    assert verdicts.handed_in_by(rounds, NOON - timedelta(hours=1)) == ""
