"""Several reviewers: who may take which step, what an edit voids, what is kept, and what tampering cannot do."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import builders
import pytest
from builders import BRIDGE, COUNTY, NORTH, a_county, a_draft, an_announcement
from conftest import NOON
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from broadcasts.announcements import history, review, service
from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals import reviewing, versions
from broadcasts.approvals import service as approvals
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.models import Opinion, Review
from broadcasts.approvals.rules import ANYBODY, Matter, Reach, Rule, steps_for
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker.orders import Sound
from hub.accounts import delegating, role_book
from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.accounts.roles import PERMISSIONS_OF, Role
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.db import Base, Sessions
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")
EVENING = NOON + timedelta(hours=8)


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.fixture
def rules(app: object, runtime: Runtime) -> Rules:
    return runtime.get(Rules)


@pytest.fixture
def timetable(app: object, runtime: Runtime) -> Timetable:
    return runtime.get(Timetable)


@pytest.fixture
def pass_it(county: Session, rules: Rules, timetable: Timetable) -> Callable[..., Broadcast | None]:
    def passing(actor: Actor, notice: Announcement, **given: object) -> Broadcast | None:
        return service.approve(
            county,
            actor,
            notice.id,
            rules=rules,
            timetable=timetable,
            now=NOON,
            **given,  # type: ignore[arg-type]
        )

    return passing


def another(session: Session, login: str, role: str = Role.APPROVER, region: str = NORTH) -> Actor:
    made = accounts.create_account(
        session, SYSTEM, login=login, name=login, password="", grants=[(role, path_of(region))], now=NOON
    )
    return actor_for(session, made, origin="test")


def two_reviewers(session: Session, *steps: str, region: str = NORTH) -> None:
    wanted = list(steps) or [ANYBODY, ANYBODY]
    boss = builders.the_actor(session, "county")
    approvals.set_rule(session, boss, region, Matter.ANY, Reach.ANY, wanted, now=NOON)


def handed_in(session: Session, rules: Rules, **given: object) -> Announcement:
    clerk = builders.the_actor(session, "clerk")
    notice = service.create(session, clerk, a_draft(**given), now=NOON)
    return service.submit(session, clerk, notice.id, SPOKEN, rules=rules, now=NOON)


Pass = Callable[..., Broadcast | None]

# ---- which rule holds


WHOLE, TOWN = path_of(COUNTY), path_of(NORTH)


def everything(path: str, reviewers: int) -> Rule:
    return Rule(path, Matter.ANY, Reach.ANY, ("",) * reviewers)


@pytest.mark.parametrize(
    ("rules_", "matter", "reach", "steps"),
    [
        ([], Matter.WORDS, Reach.VILLAGE, 1),
        ([Rule(WHOLE, Matter.ANY, Reach.ANY, ("", ""))], Matter.WORDS, Reach.VILLAGE, 2),
        ([Rule(WHOLE, Matter.RELAY, Reach.ANY, ("", ""))], Matter.WORDS, Reach.VILLAGE, 1),
        ([Rule(WHOLE, Matter.ANY, Reach.COUNTY, ("", "", ""))], Matter.WORDS, Reach.TOWNSHIP, 1),
        (
            [Rule(WHOLE, Matter.ANY, Reach.ANY, ("",)), Rule(TOWN, Matter.ANY, Reach.ANY, ("", "", ""))],
            Matter.WORDS,
            Reach.ANY,
            3,
        ),
        (
            [Rule(WHOLE, Matter.ANY, Reach.ANY, ("", "", "")), Rule(TOWN, Matter.ANY, Reach.ANY, ("",))],
            Matter.WORDS,
            Reach.ANY,
            3,
        ),
        (
            [Rule(TOWN, Matter.ANY, Reach.ANY, ("", "")), Rule(TOWN, Matter.TEXTS, Reach.ANY, ("",))],
            Matter.TEXTS,
            Reach.ANY,
            1,
        ),
        ([Rule(path_of(BRIDGE), Matter.ANY, Reach.ANY, ("", ""))], Matter.WORDS, Reach.TOWNSHIP, 1),
    ],
)
def test_the_nearest_and_most_exact_rule_holds_and_nothing_above_is_undercut(
    rules_: list[Rule], matter: Matter, reach: Reach, steps: int
) -> None:
    assert len(steps_for(rules_, TOWN, matter, reach)) == steps


def test_rules_are_set_by_whoever_answers_for_accounts_there(county: Session) -> None:
    two_reviewers(county)
    for who in ("clerk", "approver", "stranger"):
        actor = builders.the_actor(county, who)
        with pytest.raises(HubError):
            approvals.set_rule(county, actor, NORTH, Matter.ANY, Reach.ANY, [ANYBODY], now=NOON)
    rule = approvals.every(county, builders.the_actor(county, "county"))[0]
    with pytest.raises(NotFound):
        approvals.remove_rule(county, builders.the_actor(county, "strange_approver"), rule.id, now=NOON)
    with pytest.raises(BadInput, match="step_role_cannot_approve"):
        two_reviewers(county, Role.CLERK)
    with pytest.raises(BadInput, match="steps_range"):
        two_reviewers(county, *[ANYBODY] * 4)


# ---- steps


def test_one_reviewer_is_enough_without_a_rule(county: Session, rules: Rules, pass_it: Pass) -> None:
    notice = handed_in(county, rules)
    assert pass_it(builders.the_actor(county, "approver"), notice) is not None
    assert notice.state is State.APPROVED


def test_two_people_have_to_look_where_the_rule_says_so(county: Session, rules: Rules, pass_it: Pass) -> None:
    two_reviewers(county)
    first, second = builders.the_actor(county, "approver"), another(county, "second")
    notice = handed_in(county, rules)
    assert pass_it(first, notice) is None
    assert (notice.state, notice.step) == (State.SUBMITTED, 1)
    with pytest.raises(NotAllowed, match="reviewed_already"):
        pass_it(first, notice)
    assert service.count_waiting(county, first) == 0
    assert service.count_waiting(county, second) == 1
    assert pass_it(second, notice) is not None
    people = [one.reviewer_id for one in reviewing.of_round(county, notice.id, notice.round)]
    assert people == [first.id, second.id]


def test_each_step_can_ask_for_a_role_of_its_own(county: Session, rules: Rules, pass_it: Pass) -> None:
    boss = builders.the_actor(county, "county")
    key = role_book.add(county, boss, "中心主任", {Permission.APPROVE}, now=NOON)
    two_reviewers(county, Role.APPROVER, key)
    first, head = builders.the_actor(county, "approver"), another(county, "head", key)
    notice = handed_in(county, rules)
    with pytest.raises(NotAllowed, match="review_of_another_role"):
        pass_it(head, notice)
    pass_it(first, notice)
    with pytest.raises(NotAllowed, match="review_of_another_role"):
        pass_it(another(county, "third"), notice)
    assert pass_it(head, notice) is not None


def test_a_rule_changed_meanwhile_does_not_change_what_waits(county: Session, rules: Rules, pass_it: Pass) -> None:
    two_reviewers(county)
    notice = handed_in(county, rules)
    two_reviewers(county, ANYBODY)
    assert pass_it(builders.the_actor(county, "approver"), notice) is None


def test_who_looked_at_an_earlier_step_than_it_is_now_is_told(county: Session, rules: Rules, pass_it: Pass) -> None:
    two_reviewers(county, ANYBODY, ANYBODY, ANYBODY)
    notice = handed_in(county, rules)
    pass_it(builders.the_actor(county, "approver"), notice, seen_step=0)
    with pytest.raises(WrongState, match="reviewed_meanwhile"):
        pass_it(another(county, "second"), notice, seen_step=0)


# ---- what voids an approval


def test_an_edit_between_two_steps_begins_anew(county: Session, rules: Rules, pass_it: Pass) -> None:
    two_reviewers(county)
    clerk, first = builders.the_actor(county, "clerk"), builders.the_actor(county, "approver")
    notice = handed_in(county, rules)
    pass_it(first, notice)
    service.save(county, clerk, notice.id, a_draft(text="改了一个字。"), now=NOON)
    assert (notice.state, notice.step) == (State.DRAFT, 0)
    with pytest.raises(WrongState):
        pass_it(another(county, "second"), notice)
    service.submit(county, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
    assert pass_it(first, notice) is None, "both have to look again, the first one too"
    assert notice.round == 2


def test_an_approved_one_is_taken_back_before_it_is_changed_and_leaves_the_timetable(
    county: Session, rules: Rules, timetable: Timetable, pass_it: Pass
) -> None:
    clerk = builders.the_actor(county, "clerk")
    notice = handed_in(county, rules, when=When.ONCE, at=EVENING)
    pass_it(builders.the_actor(county, "approver"), notice)
    with pytest.raises(WrongState, match="announcement_approved"):
        service.save(county, clerk, notice.id, a_draft(text="悄悄改。", when=When.ONCE, at=EVENING), now=NOON)
    with pytest.raises(NotAllowed):
        review.reopen(county, builders.the_actor(county, "approver"), notice.id, timetable=timetable, now=NOON)
    review.reopen(county, clerk, notice.id, timetable=timetable, now=NOON)
    assert (notice.state, notice.approved_by, notice.content_hash) == (State.DRAFT, None, "")
    assert timetable.next_of(county, notice.id, NOON) is None


def test_what_went_out_is_not_taken_back_and_a_replay_needs_an_approval_of_its_own(
    county: Session, rules: Rules, timetable: Timetable, pass_it: Pass
) -> None:
    clerk, approver = builders.the_actor(county, "clerk"), builders.the_actor(county, "approver")
    notice = handed_in(county, rules)
    pass_it(approver, notice)
    with pytest.raises(WrongState, match="announcement_went_out"):
        review.reopen(county, clerk, notice.id, timetable=timetable, now=NOON)
    with pytest.raises(WrongState):
        pass_it(approver, notice)
    copy = service.create(county, clerk, service.as_draft(notice), now=NOON)
    assert (copy.state, copy.approved_by, copy.round) == (State.DRAFT, None, 0)
    with pytest.raises(WrongState):
        service.release(county, clerk, copy, source="now", starts_at=NOON, rules=rules, now=NOON)


def test_a_reason_is_given_with_a_return_and_with_a_rejection(county: Session, rules: Rules, pass_it: Pass) -> None:
    clerk, approver = builders.the_actor(county, "clerk"), builders.the_actor(county, "approver")
    notice = handed_in(county, rules)
    service.give_back(county, approver, notice.id, "时间不合适", now=NOON)
    service.submit(county, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
    with pytest.raises(BadInput, match="reason_missing"):
        review.reject(county, approver, notice.id, " ", now=NOON)
    review.reject(county, approver, notice.id, "不用播", now=NOON)
    assert notice.state is State.WITHDRAWN
    with pytest.raises(WrongState):
        service.submit(county, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
    rounds = history.of(county, clerk, notice.id).rounds
    said = [(one.round, one.verdict, one.reason) for found in rounds for one in found.reviews]
    assert said == [(2, Opinion.REJECTED, "不用播"), (1, Opinion.RETURNED, "时间不合适")]


# ---- history


def test_every_version_is_kept_with_what_changed(county: Session, rules: Rules) -> None:
    clerk, approver = builders.the_actor(county, "clerk"), builders.the_actor(county, "approver")
    notice = handed_in(county, rules, text="明天14:30开会。")
    service.give_back(county, approver, notice.id, "时间不对", now=NOON)
    service.save(county, clerk, notice.id, a_draft(text="后天15:30开会。", repeats=3), now=NOON)
    service.submit(county, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
    newest, oldest = history.of(county, approver, notice.id).rounds
    assert oldest.version.content["text"] == "明天14:30开会。"
    found = {change.name: change for change in newest.changes}
    assert found.keys() == {"text", "repeats"}
    assert [(p.kind, p.text) for p in found["text"].pieces] == [
        ("out", "明"),
        ("in", "后"),
        ("same", "天"),
        ("out", "14"),
        ("in", "15"),
        ("same", ":30开会。"),
    ]
    with pytest.raises(NotFound):
        history.of(county, builders.the_actor(county, "stranger"), notice.id)


def test_pieces_put_together_give_both_texts() -> None:
    for old, new in (("", "abc"), ("abc", ""), ("水位3米", "水位13米，撤"), ("一二三", "三二一")):
        found = versions.pieces(old, new)
        assert "".join(p.text for p in found if p.kind != "in") == old
        assert "".join(p.text for p in found if p.kind != "out") == new


def test_verdicts_and_versions_cannot_be_changed_in_the_database(county: Session, rules: Rules, pass_it: Pass) -> None:
    pass_it(builders.the_actor(county, "approver"), handed_in(county, rules))
    for statement in ("UPDATE review SET content_hash = 'x'", "DELETE FROM handed_in"):
        with pytest.raises(DBAPIError, match="never changed"), county.begin_nested():
            county.execute(text(statement))


# ---- tampering between approval and sending


@pytest.mark.parametrize("with_hash", [False, True])
def test_whoever_changes_it_behind_the_hubs_back_finds_it_does_not_go_out(
    county: Session, rules: Rules, pass_it: Pass, with_hash: bool
) -> None:
    notice = handed_in(county, rules, when=When.ONCE, at=EVENING)
    pass_it(builders.the_actor(county, "approver"), notice)
    county.execute(update(Announcement).where(Announcement.id == notice.id).values(text="马上转账到这个账户"))
    county.refresh(notice)
    if with_hash:
        forged = content_hash(notice)
        county.execute(update(Announcement).where(Announcement.id == notice.id).values(content_hash=forged))
        county.refresh(notice)
    with pytest.raises(WrongState, match="announcement_changed_meanwhile"):
        service.release(county, SYSTEM, notice, source="x", starts_at=EVENING, rules=rules, now=EVENING)


def test_an_approval_written_into_the_table_by_hand_is_none(county: Session, rules: Rules) -> None:
    notice = handed_in(county, rules)
    notice.state, notice.step = State.APPROVED, 1
    county.flush()
    with pytest.raises(WrongState, match="announcement_changed_meanwhile"):
        service.release(county, SYSTEM, notice, source="x", starts_at=NOON, rules=rules, now=NOON)


# ---- somebody is away


def away(session: Session, giver: str, taker: Actor) -> None:
    assert taker.id is not None
    delegating.give(
        session,
        builders.the_actor(session, giver),
        taker.id,
        starts_at=NOON,
        ends_at=NOON + timedelta(days=3),
        reason="去县里开会",
        now=NOON,
    )


def as_of(session: Session, login: str, days: float = 0.5) -> Actor:
    account = session.scalars(select(Account).where(Account.login == login)).one()
    return actor_for(session, account, origin="test", now=NOON + timedelta(days=days))


def test_a_colleague_approves_in_place_of_who_is_away_and_the_record_says_so(
    county: Session, rules: Rules, pass_it: Pass
) -> None:
    away(county, "approver", builders.the_actor(county, "duty"))
    notice = handed_in(county, rules)
    with pytest.raises(NotAllowed):
        pass_it(as_of(county, "duty", days=4), notice)
    assert pass_it(as_of(county, "duty"), notice) is not None
    given = county.scalars(select(Review).where(Review.subject_id == notice.id)).one()
    assert (given.reviewer_name, given.for_name) == ("北镇值班员", "北镇副镇长")


def test_what_is_left_to_somebody_ends_when_it_is_taken_back_or_the_other_loses_it(
    county: Session, rules: Rules
) -> None:
    away(county, "approver", builders.the_actor(county, "duty"))
    assert as_of(county, "duty").may(Permission.APPROVE, path_of(NORTH))
    role_book.change(
        county,
        builders.the_actor(county, "county"),
        Role.APPROVER,
        PERMISSIONS_OF[Role.APPROVER] - {Permission.APPROVE},
        now=NOON,
    )
    assert not as_of(county, "duty").may(Permission.APPROVE, path_of(NORTH))
    role_book.remove(county, builders.the_actor(county, "county"), Role.APPROVER, now=NOON)
    (line,) = delegating.lines(county, builders.the_actor(county, "approver"), now=NOON)
    with pytest.raises(NotFound):
        delegating.end(county, builders.the_actor(county, "stranger"), line.delegation.id, now=NOON)
    delegating.end(county, builders.the_actor(county, "approver"), line.delegation.id, now=NOON)
    assert not as_of(county, "duty").may(Permission.APPROVE, path_of(NORTH))


def test_nobody_approves_their_own_words_through_somebody_else(county: Session, rules: Rules, pass_it: Pass) -> None:
    writer = another(county, "both", Role.CLERK)
    account = county.get_one(Account, writer.id)
    grants = [(Role.CLERK, path_of(NORTH)), (Role.APPROVER, path_of(NORTH))]
    accounts.change_grants(county, builders.the_actor(county, "county"), account.id, grants, now=NOON)
    writer = actor_for(county, account, origin="test")
    away(county, "both", builders.the_actor(county, "duty"))
    notice = an_announcement(county, writer)
    service.submit(county, writer, notice.id, SPOKEN, rules=rules, now=NOON)
    with pytest.raises(NotAllowed, match="review_for_author"):
        pass_it(as_of(county, "duty"), notice)


def test_one_right_is_not_used_twice_by_two_people(county: Session, rules: Rules, pass_it: Pass) -> None:
    two_reviewers(county)
    away(county, "approver", builders.the_actor(county, "duty"))
    notice = handed_in(county, rules)
    pass_it(builders.the_actor(county, "approver"), notice)
    with pytest.raises(NotAllowed, match="review_for_reviewer"):
        pass_it(as_of(county, "duty"), notice)


def test_what_is_left_to_somebody_is_not_passed_on(county: Session) -> None:
    away(county, "approver", builders.the_actor(county, "duty"))
    with pytest.raises(NotAllowed, match="delegation_nothing_to_leave"):
        away(county, "duty", builders.the_actor(county, "viewer"))


@pytest.mark.parametrize(("days", "code"), [(0, "delegation_over"), (61, "delegation_too_long")])
def test_it_has_an_end_and_not_a_far_one(county: Session, days: int, code: str) -> None:
    duty = builders.the_actor(county, "duty")
    assert duty.id is not None
    with pytest.raises(BadInput, match=code):
        delegating.give(
            county,
            builders.the_actor(county, "approver"),
            duty.id,
            starts_at=NOON,
            ends_at=NOON + timedelta(days=days),
            reason="x",
            now=NOON,
        )


def test_approvals_are_left_to_colleagues_only(county: Session) -> None:
    names = {one.login for one in delegating.candidates(county, builders.the_actor(county, "approver"))}
    assert names == {"clerk", "duty", "secretary", "viewer", "county"}


# ---- two at once


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("steps", [1, 2])
def test_two_reviewers_pressing_at_once_take_one_step(
    request: pytest.FixtureRequest, app: object, runtime: Runtime, kind: str, steps: int
) -> None:
    """With real threads and real transactions; both saw the same step."""
    rules, timetable = runtime.get(Rules), runtime.get(Timetable)
    sessions = runtime.sessions
    if kind == "postgres":
        engine: Engine = request.getfixturevalue("postgres_engine")
        Base.metadata.create_all(engine)
        sessions = Sessions(engine)
        with sessions.begin() as session:
            a_county(session)
    with sessions.begin() as session:
        two_reviewers(session, *[ANYBODY] * steps)
        people = [builders.the_actor(session, "approver"), another(session, "second"), another(session, "third")]
        notice = handed_in(session, rules)
        notice_id = notice.id
    start, said = threading.Barrier(len(people)), []

    def press(actor: Actor) -> None:
        start.wait()
        try:
            with sessions.begin() as session:
                service.approve(session, actor, notice_id, rules=rules, timetable=timetable, now=NOON, seen_step=0)
            said.append("passed")
        except WrongState as refused:
            said.append(refused.code)

    threads = [threading.Thread(target=press, args=(actor,)) for actor in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(said).count("passed") == 1, said
    with sessions.read() as session:
        assert len(reviewing.of_round(session, notice_id, 1)) == 1
        assert len(session.scalars(select(Broadcast)).all()) == (1 if steps == 1 else 0)
