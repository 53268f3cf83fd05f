"""Plans: two people sign, neither the author; a change voids it; nothing unsigned is ever in force."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders import BRIDGE, COUNTY, FERRY, NORTH, SOUTH, a_county, an_actor
from conftest import NOON
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import hazards
from broadcasts.alerts.plans import service, starting
from broadcasts.alerts.plans.models import PlanState, PlanVersion
from broadcasts.alerts.plans.service import PlanDraft
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.kinds import Colour
from hub.accounts.roles import Role
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions.tree import path_of

WORDS = usual_words(hazards()["flash_flood"], Colour.RED)
CLERK, ONE, TWO = an_actor(), an_actor(Role.APPROVER, name="镇长"), an_actor(Role.APPROVER, COUNTY, "县应急局")


@pytest.fixture(autouse=True)
def a_place(session: Session) -> None:
    a_county(session)


def written(session: Session, actor: Actor = CLERK, **given: Any) -> PlanVersion:
    fields: dict[str, Any] = {"home": NORTH, "hazard": "flash_flood", "colour": Colour.RED, "words": WORDS}
    draft = PlanDraft(**(fields | given))
    version = service.write(session, actor, draft, now=NOON)
    return service.hand_in(session, actor, version.plan_id, signature="村响", now=NOON)


def signed(session: Session, version: PlanVersion, *people: Actor) -> PlanVersion:
    for person in people or (ONE, TWO):
        service.sign(session, person, version.plan_id, version.content_hash, now=NOON)
    return version


def in_force(session: Session, *regions: str) -> str:
    found = service.in_force(session, "flash_flood", Colour.RED, [path_of(code) for code in regions or (BRIDGE,)])
    return found.words.speech if found else ""


def test_two_people_put_a_plan_in_force_and_one_does_not(session: Session) -> None:
    version = written(session)
    assert in_force(session) == ""
    signed(session, version, ONE)
    assert (version.state, in_force(session)) == (PlanState.WAITING, "")
    signed(session, version, TWO)
    assert (version.state, in_force(session)) == (PlanState.APPROVED, WORDS.speech)
    assert in_force(session, FERRY) == ""
    assert in_force(session, BRIDGE, FERRY) == ""


def test_nobody_signs_twice_and_nobody_signs_what_they_wrote(session: Session) -> None:
    both = an_actor(Role.APPROVER)
    both = replace(both, scopes=(*both.scopes, *CLERK.scopes))
    version = written(session, both)
    with pytest.raises(NotAllowed, match="plan_own"):
        signed(session, version, both)
    signed(session, version, ONE)
    with pytest.raises(NotAllowed, match="plan_signed_already"):
        signed(session, version, ONE)
    assert in_force(session) == ""


def test_the_tables_themselves_refuse_one_person_twice(session: Session) -> None:
    version = written(session)
    for first, second in ((ONE.id, ONE.id), (ONE.id, version.written_by)):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(update(PlanVersion).values(first_by=first, second_by=second))


def test_any_change_voids_the_signatures_until_two_have_signed_again(session: Session) -> None:
    version = signed(session, written(session))
    changed = replace(WORDS, sms=WORDS.sms + "快")
    later = service.write(session, CLERK, PlanDraft(NORTH, "flash_flood", Colour.RED, changed), now=NOON)
    assert (later.version, later.first_by, in_force(session)) == (2, None, "")
    assert session.get_one(PlanVersion, (version.plan_id, 1)).state is PlanState.REPLACED
    service.hand_in(session, CLERK, later.plan_id, signature="村响", now=NOON)
    signed(session, later, TWO, ONE)
    assert in_force(session) == WORDS.speech


def test_a_change_that_was_begun_can_be_dropped_and_the_signed_words_hold_again(session: Session) -> None:
    version = signed(session, written(session))
    service.write(session, CLERK, PlanDraft(NORTH, "flash_flood", Colour.RED, replace(WORDS, speech="x")), now=NOON)
    service.drop_changes(session, CLERK, version.plan_id, now=NOON)
    assert in_force(session) == WORDS.speech
    with pytest.raises(WrongState, match="plan_nothing_to_drop"):
        service.drop_changes(session, CLERK, version.plan_id, now=NOON)


def test_words_changed_behind_the_hubs_back_are_not_in_force(session: Session) -> None:
    version = signed(session, written(session))
    version.speech = "大家快跑！"
    session.flush()
    assert in_force(session) == ""


def test_what_was_read_is_what_is_signed(session: Session) -> None:
    version = written(session)
    seen = version.content_hash
    service.send_back(session, ONE, version.plan_id, "太长", now=NOON)
    written(session, words=replace(WORDS, speech="注意！{place}涨水！"))
    with pytest.raises(WrongState, match="plan_changed_meanwhile"):
        service.sign(session, ONE, version.plan_id, seen, now=NOON)


def test_the_plan_of_the_nearest_place_speaks(session: Session) -> None:
    signed(session, written(session, an_actor(Role.CLERK, COUNTY), home=COUNTY), TWO, an_actor(Role.APPROVER, COUNTY))
    assert in_force(session, FERRY) == WORDS.speech
    near = replace(WORDS, speech="北镇的话，{place}快走！")
    signed(session, written(session, words=near))
    assert (in_force(session), in_force(session, FERRY)) == (near.speech, WORDS.speech)
    assert in_force(session, BRIDGE, FERRY) == WORDS.speech


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("speech", "山洪红色预警！{place}快走！", "warning_needs_issuer"),
        ("correction_speech", "", "plan_text_missing"),
        ("clear_sms", "长" * 301, "plan_text_too_long"),
        ("speech", "{who}快走！", "plan_text_blank"),
        ("sms", "【镇】快走", "sms_text_brackets"),
        ("speech", "这不是演练，{place}快走！", "plan_text_must_mend"),
    ],
)
def test_each_mistake_is_named_before_anybody_is_asked_to_sign(
    session: Session, field: str, text: str, code: str
) -> None:
    with pytest.raises(Problems) as refused:
        written(session, words=replace(WORDS, **{field: text}))
    assert code in [problem.code for problem in refused.value.problems]


def test_an_area_outside_the_place_is_refused(session: Session) -> None:
    with pytest.raises(BadInput, match="plan_area_outside"):
        written(session, area=(FERRY,))


def test_strangers_see_and_change_nothing(session: Session) -> None:
    version = written(session)
    stranger = an_actor(Role.APPROVER, SOUTH)
    deeds: tuple[Callable[[], object], ...] = (
        lambda: service.sign(session, stranger, version.plan_id, version.content_hash, now=NOON),
        lambda: service.withdraw(session, stranger, version.plan_id, "不要", now=NOON),
        lambda: service.send_back(session, stranger, version.plan_id, "不要", now=NOON),
    )
    for deed in deeds:
        with pytest.raises(NotFound):
            deed()
    with pytest.raises(NotAllowed):
        written(session, an_actor(Role.CLERK, SOUTH))
    assert version.state is PlanState.WAITING


def test_every_case_has_words_that_could_be_signed_at_once(session: Session) -> None:
    begun = starting.begin(session, CLERK, NORTH, signature="石笛镇人民政府", now=NOON)
    assert len(begun) == len(hazards()) * len(Colour)
    assert starting.begin(session, CLERK, NORTH, signature="石笛镇人民政府", now=NOON) == []
    assert starting.sign_all(session, NORTH, [ONE, TWO], now=NOON) == len(begun)
