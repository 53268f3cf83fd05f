"""Nothing of the library is used before two have agreed, after it has expired, or by strangers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from builders import BRIDGE, NORTH, the_actor
from conftest import NOON
from hypothesis import given
from hypothesis import strategies as st
from materiallab import TODAY, a_material_draft, a_text, approved
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.approvals.lifecycle import FOLLOWS, State
from broadcasts.kinds import Theme
from broadcasts.materials import forms, listing, service, starting
from broadcasts.materials.listing import Sought
from broadcasts.materials.models import Material, MaterialKind
from hub.audit.models import AuditEntry
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime


@pytest.fixture
def session(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def titles(session: Session, login: str, **sought: object) -> list[str]:
    shelf = listing.shelf(session, the_actor(session, login), Sought(**sought), today=TODAY)  # type: ignore[arg-type]
    return [row.material.title for row in shelf.rows]


def test_two_pairs_of_eyes(session: Session) -> None:
    clerk = the_actor(session, "clerk")
    material = service.create(session, clerk, a_material_draft(), now=NOON)
    assert titles(session, "clerk") == []
    with pytest.raises(NotFound):
        service.approve(session, the_actor(session, "approver"), material.id, seen_hash="", today=TODAY, now=NOON)
    service.submit(session, clerk, material.id, today=TODAY, now=NOON)
    with pytest.raises(NotAllowed):
        service.approve(session, clerk, material.id, seen_hash=material.content_hash, today=TODAY, now=NOON)
    approver = the_actor(session, "approver")
    with pytest.raises(WrongState):
        service.approve(session, approver, material.id, seen_hash="f" * 64, today=TODAY, now=NOON)
    service.approve(session, approver, material.id, seen_hash=material.content_hash, today=TODAY, now=NOON)
    assert titles(session, "clerk") == ["冒充公安"]
    deeds = session.scalars(select(AuditEntry.deed).where(AuditEntry.subject == f"material:{material.id}")).all()
    assert list(deeds) == ["material.create", "material.submit", "material.approve"]


def test_what_is_missing_is_said_at_once(session: Session) -> None:
    clerk = the_actor(session, "clerk")
    draft = a_material_draft(title="", text="", source="", valid_until=date(2026, 11, 22))
    material = service.create(session, clerk, draft, now=NOON)
    with pytest.raises(Problems) as refused:
        service.submit(session, clerk, material.id, today=TODAY, now=NOON)
    assert {p.field for p in refused.value.problems} == {"title", "text", "source", "valid_until"}


def test_changing_what_was_agreed_to_takes_the_agreement_away(session: Session) -> None:
    material = a_text(session)
    changed = replace(service.as_draft(material), text="别的话。")
    service.save(session, the_actor(session, "clerk"), material.id, changed, now=NOON)
    assert (material.state, material.approved_by, material.content_hash) == (State.DRAFT, None, "")
    with pytest.raises(BadInput) as refused:
        service.usable(session, the_actor(session, "clerk"), material.id, day=TODAY)
    assert refused.value.code == "material_not_approved"


def test_saving_without_a_change_keeps_the_agreement(session: Session) -> None:
    material = a_text(session)
    service.save(session, the_actor(session, "clerk"), material.id, service.as_draft(material), now=NOON)
    assert material.state is State.APPROVED


def test_the_last_day_counts_and_the_day_after_does_not(session: Session) -> None:
    clerk = the_actor(session, "clerk")
    material = a_text(session, valid_until=TODAY)
    assert service.usable(session, clerk, material.id, day=TODAY).id == material.id
    with pytest.raises(BadInput) as refused:
        service.usable(session, clerk, material.id, day=date(2026, 11, 24))
    assert refused.value.code == "material_expired"
    tomorrow = listing.shelf(session, clerk, Sought(), today=date(2026, 11, 24))
    assert tomorrow.rows == ()
    over = listing.shelf(session, clerk, Sought(tab="expired"), today=date(2026, 11, 24))
    assert [row.over for row in over.rows] == [True]


def test_strangers_see_nothing_and_change_nothing(session: Session) -> None:
    material = a_text(session)
    stranger, approver = the_actor(session, "stranger"), the_actor(session, "strange_approver")
    for tab in listing.TABS:
        assert titles(session, "stranger", tab=tab) == []
        assert titles(session, "strange_approver", tab=tab) == []
    for deed in (
        lambda: service.get(session, stranger, material.id),
        lambda: service.save(session, stranger, material.id, a_material_draft(), now=NOON),
        lambda: service.submit(session, stranger, material.id, today=TODAY, now=NOON),
        lambda: service.withdraw(session, approver, material.id, now=NOON),
        lambda: service.give_back(session, approver, material.id, "不行", now=NOON),
    ):
        with pytest.raises(NotFound):
            deed()
    with pytest.raises(BadInput) as refused:
        service.usable(session, stranger, material.id, day=TODAY)
    assert refused.value.code == "material_unknown"
    with pytest.raises(BadInput):
        service.create(session, stranger, a_material_draft(home=NORTH), now=NOON)


def test_what_is_agreed_above_may_be_used_below_and_what_waits_there_is_not_seen(session: Session) -> None:
    clerk = the_actor(session, "clerk")
    waiting = service.create(session, clerk, a_material_draft(title="在等"), now=NOON)
    service.submit(session, clerk, waiting.id, today=TODAY, now=NOON)
    material = a_text(session, title="全镇的")
    village = the_actor(session, "secretary")
    assert titles(session, "secretary") == ["全镇的"]
    assert titles(session, "secretary", tab="submitted") == []
    assert service.usable(session, village, material.id, day=TODAY).id == material.id
    with pytest.raises(NotAllowed):
        service.save(session, village, material.id, a_material_draft(), now=NOON)


def test_what_a_village_writes_its_township_sees_and_agrees_to(session: Session) -> None:
    secretary = the_actor(session, "secretary")
    material = service.create(session, secretary, a_material_draft(title="村里的", home=BRIDGE), now=NOON)
    assert titles(session, "clerk", tab="mine") == []
    service.submit(session, secretary, material.id, today=TODAY, now=NOON)
    approver = the_actor(session, "approver")
    assert service.count_waiting(session, approver) == 1
    assert service.count_waiting(session, the_actor(session, "strange_approver")) == 0
    approved_ = service.approve(session, approver, material.id, seen_hash=material.content_hash, today=TODAY, now=NOON)
    assert approved_.state is State.APPROVED


def test_anothers_draft_does_not_exist(session: Session) -> None:
    material = service.create(session, the_actor(session, "clerk"), a_material_draft(), now=NOON)
    with pytest.raises(NotFound):
        service.get(session, the_actor(session, "approver"), material.id)


def test_a_draft_that_nobody_saw_is_forgotten(session: Session) -> None:
    clerk = the_actor(session, "clerk")
    material = service.create(session, clerk, a_material_draft(), now=NOON)
    service.withdraw(session, clerk, material.id, now=NOON)
    session.expire_all()
    assert session.get(Material, material.id) is None


def test_it_is_found_by_theme_kind_and_words(session: Session) -> None:
    a_text(session, title="防山洪", theme=Theme.SAFETY, tags=("汛期", "老人"))
    a_text(session, title="100%_是骗子")
    assert titles(session, "clerk", theme=Theme.SAFETY) == ["防山洪"]
    assert titles(session, "clerk", kind=MaterialKind.RECORDING) == []
    assert titles(session, "clerk", words="汛期") == ["防山洪"]
    assert titles(session, "clerk", words="镇派出所 山洪") == ["防山洪"]
    assert titles(session, "clerk", words="%_是") == ["100%_是骗子"]
    assert titles(session, "clerk", words="没有这个词") == []


def test_returning_says_why_and_the_writer_hands_it_in_again(session: Session) -> None:
    clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
    material = service.create(session, clerk, a_material_draft(), now=NOON)
    service.submit(session, clerk, material.id, today=TODAY, now=NOON)
    with pytest.raises(BadInput):
        service.give_back(session, approver, material.id, "  ", now=NOON)
    service.give_back(session, approver, material.id, "电话不对", now=NOON)
    assert (material.state, material.return_reason) == (State.RETURNED, "电话不对")
    approved(session, material)
    assert material.state is State.APPROVED


def test_every_state_can_be_left_but_the_last() -> None:
    assert set(FOLLOWS) == set(State)
    assert FOLLOWS[State.WITHDRAWN] == frozenset()


def test_the_library_to_start_with_has_what_can_be_used_and_what_is_to_be_checked(
    session: Session, runtime: Runtime
) -> None:
    clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
    number = starting.load(session, clerk, approver, runtime)
    found = session.scalars(select(Material).order_by(Material.changed_at, Material.id)).all()
    assert len(found) == number >= 15
    by_state = {state: [m for m in found if m.state is state] for state in State}
    usable = [m for m in by_state[State.APPROVED] if service.why_not(session, m, TODAY) == ""]
    assert len(usable) >= 10
    assert {m.theme for m in usable} == {Theme.SAFETY, Theme.FRAUD, Theme.LAW}
    assert [m.title for m in by_state[State.APPROVED] if m not in usable] == ["医保快截止了"], "its last day is over"
    assert all(m.to_check and "待本地核对" in m.source for m in by_state[State.SUBMITTED])
    assert not any(m.to_check or "待本地核对" in m.source for m in usable)
    assert [m.return_reason for m in by_state[State.RETURNED]] == ["加上本县禁放的地方和日子"]
    assert not any("〔" in m.text + m.sms_text for m in found)
    first = by_state[State.SUBMITTED][0]
    service.approve(session, approver, first.id, seen_hash=first.content_hash, today=TODAY, now=NOON)
    assert not first.to_check, "agreeing says that it was checked"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("防火宣传.mp3", "防火宣传"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\录音 01.amr", "录音 01"),
        ("a\x00b\x1b[31m\u202egpj.mp3", "a b [31m gpj"),
        (".mp3", "mp3"),
        ("x" * 300 + ".wav", "x" * 30),
        ("", ""),
    ],
)
def test_a_file_name_is_only_ever_a_title(name: str, title: str) -> None:
    assert forms.title_of(name) == title


@given(st.text(max_size=200))
def test_no_file_name_breaks_it(name: str) -> None:
    title = forms.title_of(name)
    assert len(title) <= 30
    assert title.isprintable() or not title.isascii()
