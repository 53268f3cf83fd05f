"""The pages about residents, as a browser sees them."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import UUID, uuid4

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service
from hub.residents.models import BlockedNumber, BlockReason, Phone, Resident
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput

SignIn = Callable[[str], FlaskClient]
NUMBER, OTHER = "13800001122", "13900003344"
FORM = {"name": "李秀英", "region": BRIDGE, "phone": NUMBER, "tags": "独居老人、沿河户", "away": "1"}


def a_resident(
    runtime: Runtime, name: str = "李秀英", region: str = BRIDGE, phones: tuple[str, ...] = (NUMBER,), **more: object
) -> UUID:
    with runtime.sessions.begin() as session:
        given = ResidentInput(name, region, phones, **more)  # type: ignore[arg-type]
        return service.add_resident(session, SYSTEM, given, safe=PhoneSafe(runtime.secrets), now=NOON).id


def numbers(runtime: Runtime, resident_id: UUID) -> list[str]:
    with runtime.sessions.read() as session:
        phones = session.scalars(select(Phone).where(Phone.resident_id == resident_id)).all()
        return sorted(PhoneSafe(runtime.secrets).open(phone.sealed) for phone in phones)


def names(runtime: Runtime) -> list[str]:
    with runtime.sessions.read() as session:
        return sorted(session.scalars(select(Resident.name)))


def blocks(runtime: Runtime) -> list[BlockReason]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(BlockedNumber.reason)))


def the_phone(runtime: Runtime, resident_id: UUID) -> UUID:
    with runtime.sessions.read() as session:
        return session.scalars(select(Phone.id).where(Phone.resident_id == resident_id)).one()


def listed(page: str) -> list[str]:
    return re.findall(r'<a href="/residents/[0-9a-f-]{36}"><b>([^<]+)</b>', page)


def test_the_list_shows_masked_numbers_places_and_tags(sign_in: SignIn, runtime: Runtime) -> None:
    a_resident(runtime, tags=("独居老人",))
    page = sign_in("clerk").get("/residents").text
    assert "138****1122" in page
    assert NUMBER not in page
    assert "北镇 桥村" in page
    assert "独居老人" in page
    assert "1 人" in page


def test_filters_by_village_tag_and_name(sign_in: SignIn, runtime: Runtime) -> None:
    a_resident(runtime, "李秀英", BRIDGE, tags=("独居老人",))
    a_resident(runtime, "王建国", HILL)
    client = sign_in("clerk")
    assert listed(client.get("/residents").text) == ["李秀英", "王建国"]
    assert listed(client.get(f"/residents?region={HILL}").text) == ["王建国"]
    assert listed(client.get("/residents?tag=独居老人").text) == ["李秀英"]
    assert listed(client.get("/residents?q=建国").text) == ["王建国"]
    assert "没有这样的居民" in client.get("/residents?q=没有人").text


def test_paging_shows_everybody_once_also_those_of_one_name(sign_in: SignIn, runtime: Runtime) -> None:
    for n in range(60):
        a_resident(runtime, f"同名{n % 2}", phones=())
    client = sign_in("clerk")
    first = client.get(f"/residents?region={BRIDGE}").text
    onward = unescape(re.findall(r'href="([^"]+)" rel="next"', first)[0])
    second = client.get(onward).text
    ids = re.findall(r'<a href="/residents/([0-9a-f-]{36})"><b>', first + second)
    assert (len(ids), len(set(ids))) == (60, 60)
    assert "同名" not in onward, "names do not stand in addresses"
    assert 'rel="next"' not in second


def test_counts_tell_how_many_numbers_a_message_reaches(sign_in: SignIn, runtime: Runtime) -> None:
    first = a_resident(runtime, phones=(NUMBER, "087165123456"))
    a_resident(runtime, "王建国", phones=(OTHER,))
    client = sign_in("clerk")
    client.post(f"/residents/{first}/phones/{_mobile(runtime, first)}/block", data={"reason": "opted_out"})
    shown = re.findall(r'<span class="stat-number"><b>(\d+)</b>', client.get("/residents").text)
    assert shown == ["2", "1", "2", "1"]


def _mobile(runtime: Runtime, resident_id: UUID) -> UUID:
    with runtime.sessions.read() as session:
        return session.scalars(select(Phone.id).where(Phone.resident_id == resident_id, Phone.kind == "mobile")).one()


def test_somebody_is_found_by_number_without_the_number_in_an_address(sign_in: SignIn, runtime: Runtime) -> None:
    resident_id = a_resident(runtime)
    answer = sign_in("clerk").post("/residents/by-number", data={"number": "138 0000 1122"})
    assert answer.headers["Location"] == f"/residents/{resident_id}"


def test_several_people_with_one_number_are_all_shown(sign_in: SignIn, runtime: Runtime) -> None:
    a_resident(runtime, "李秀英")
    a_resident(runtime, "李大山")
    a_resident(runtime, "王建国", phones=(OTHER,))
    page = sign_in("clerk").post("/residents/by-number", data={"number": NUMBER}).text
    assert sorted(listed(page)) == ["李大山", "李秀英"]
    assert "2 个人用这个号码" in page


@pytest.mark.parametrize(("number", "status"), [("1380000", 422), (OTHER, 404)])
def test_a_number_that_leads_nowhere_says_so(sign_in: SignIn, runtime: Runtime, number: str, status: int) -> None:
    a_resident(runtime)
    answer = sign_in("clerk").post("/residents/by-number", data={"number": number})
    assert (answer.status_code, 'href="#f-number"' in answer.text) == (status, True)


def test_a_stranger_finds_nobody_by_number(sign_in: SignIn, runtime: Runtime) -> None:
    a_resident(runtime)
    answer = sign_in("stranger").post("/residents/by-number", data={"number": NUMBER})
    assert answer.status_code == 404
    assert "李秀英" not in answer.text


def test_somebody_is_added_with_number_tags_and_place(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    answer = client.post("/residents/new", data=FORM, follow_redirects=True)
    assert "李秀英加上了" in answer.text
    with runtime.sessions.read() as session:
        resident = session.scalars(select(Resident)).one()
        assert {tag.tag for tag in resident.tags} == {"独居老人", "沿河户"}
        assert (resident.away, resident.region_code) == (True, BRIDGE)
    assert numbers(runtime, resident.id) == [f"+86{NUMBER}"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"phone": "1380000112"}, "phone"),
        ({"phone-1": "1380000112"}, "phone-1"),
        ({"tags": "很长" * 11}, "tags"),
    ],
)
def test_a_refused_resident_keeps_what_was_typed_and_adds_nobody(
    sign_in: SignIn, runtime: Runtime, change: dict[str, str], field: str
) -> None:
    form = FORM | change
    answer = sign_in("clerk").post("/residents/new", data=form)
    assert (answer.status_code, f'href="#f-{field}"' in answer.text) == (422, True)
    assert f'id="f-{field}"' in answer.text
    for name in ("name", "phone", "tags"):
        assert f'value="{form[name]}"' in answer.text
    assert f'value="{BRIDGE}" selected' in answer.text
    assert 'name="away" value="1" checked' in answer.text
    assert names(runtime) == []


def test_nobody_is_added_to_another_township(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    assert FERRY not in client.get("/residents/new").text
    assert client.post("/residents/new", data=FORM | {"region": FERRY}).status_code == 404
    assert names(runtime) == []


def test_an_untouched_number_stays_a_cleared_one_goes_and_a_new_one_comes(sign_in: SignIn, runtime: Runtime) -> None:
    resident_id = a_resident(runtime, phones=(NUMBER, OTHER))
    client = sign_in("clerk")
    page = client.get(f"/residents/{resident_id}").text
    shown = re.findall(r'id="f-phone(?:-\d)?" name="(phone[-\d]*)" type="text" value="([^"]*)"', page)
    form = {"name": "李秀英", "region": BRIDGE, **dict(shown)}
    assert sorted(form.values())[:2] == ["", "138****1122"]
    at = next(name for name, value in form.items() if value == "139****3344")
    form[at] = ""
    form["phone-2"] = "13700005566"
    client.post(f"/residents/{resident_id}", data=form)
    assert numbers(runtime, resident_id) == ["+8613700005566", f"+86{NUMBER}"]


def test_a_refused_change_keeps_what_was_typed_and_changes_nothing(sign_in: SignIn, runtime: Runtime) -> None:
    resident_id = a_resident(runtime)
    form = {"name": "李改名", "region": HILL, "phone": "138****1122", "phone-1": "12"}
    answer = sign_in("clerk").post(f"/residents/{resident_id}", data=form)
    assert (answer.status_code, 'href="#f-phone-1"' in answer.text) == (422, True)
    assert 'value="李改名"' in answer.text
    assert 'value="12"' in answer.text
    assert names(runtime) == ["李秀英"]
    assert numbers(runtime, resident_id) == [f"+86{NUMBER}"]


def test_a_number_is_blocked_and_used_again(sign_in: SignIn, runtime: Runtime) -> None:
    resident_id = a_resident(runtime)
    phone_id, client = the_phone(runtime, resident_id), sign_in("clerk")
    page = client.post(
        f"/residents/{resident_id}/phones/{phone_id}/block", data={"reason": "opted_out"}, follow_redirects=True
    )
    assert "只收应急短信" in page.text
    assert blocks(runtime) == [BlockReason.OPTED_OUT]
    client.post(f"/residents/{resident_id}/phones/{phone_id}/unblock")
    assert blocks(runtime) == []
    client.post(f"/residents/{resident_id}/phones/{phone_id}/block", data={"reason": "wrong_number"})
    assert blocks(runtime) == [BlockReason.WRONG_NUMBER]


def test_somebody_is_removed(sign_in: SignIn, runtime: Runtime) -> None:
    resident_id = a_resident(runtime)
    client = sign_in("clerk")
    answer = client.post(f"/residents/{resident_id}/remove", follow_redirects=True)
    assert "删掉了" in answer.text
    assert (names(runtime), numbers(runtime, resident_id)) == ([], [])
    assert client.get(f"/residents/{resident_id}").status_code == 404


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("secretary", 403), ("approver", 403)])
def test_whoever_may_not_changes_nobody(sign_in: SignIn, runtime: Runtime, who: str, status: int) -> None:
    resident_id = a_resident(runtime)
    phone_id, client = the_phone(runtime, resident_id), sign_in(who)
    form = {"name": "别人", "region": BRIDGE}
    assert client.post(f"/residents/{resident_id}", data=form).status_code == status
    assert client.post(f"/residents/{resident_id}/remove").status_code == status
    assert client.post(f"/residents/{resident_id}/phones/{phone_id}/block").status_code == status
    assert client.post(f"/residents/{resident_id}/phones/{phone_id}/unblock").status_code == status
    assert (names(runtime), blocks(runtime)) == (["李秀英"], [])


def test_a_stranger_sees_nobody_of_the_north(sign_in: SignIn, runtime: Runtime) -> None:
    resident_id = a_resident(runtime, tags=("独居老人",))
    client = sign_in("stranger")
    page = client.get("/residents").text
    assert "李秀英" not in page
    assert "独居老人" not in page.split("<main")[1], "not even which tags there are"
    assert client.get(f"/residents/{resident_id}").status_code == 404
    assert client.get(f"/residents?region={NORTH}").status_code == 404
    assert "李秀英" not in client.get(f"/residents?after={resident_id}").text


@pytest.mark.parametrize("who", ["secretary", "approver"])
def test_whoever_only_looks_sees_masked_numbers_and_no_buttons(sign_in: SignIn, runtime: Runtime, who: str) -> None:
    resident_id = a_resident(runtime)
    client = sign_in(who)
    page = client.get(f"/residents/{resident_id}").text
    assert "138****1122" in page
    for words in ("存下来", "删掉", "他不要短信"):
        assert words not in page
    assert "从 Excel 导入" not in client.get("/residents").text
    assert client.get("/residents/new").status_code == 403


@pytest.mark.parametrize("who", ["duty", "viewer"])
def test_residents_are_nobody_elses_business(sign_in: SignIn, runtime: Runtime, who: str) -> None:
    resident_id = a_resident(runtime)
    client = sign_in(who)
    assert client.get("/residents").status_code == 403
    assert client.get(f"/residents/{resident_id}").status_code == 403
    assert 'href="/residents"' not in client.get("/speakers").text


def test_without_signing_in_nothing_is_shown_or_changed(app: OpenAPI, runtime: Runtime) -> None:
    resident_id = a_resident(runtime)
    client = app.test_client()
    assert client.get(f"/residents/{resident_id}").status_code == 302
    assert client.post(f"/residents/{resident_id}/remove").status_code == 302
    assert client.post("/residents/by-number", data={"number": NUMBER}).status_code == 302
    assert names(runtime) == ["李秀英"]


def test_a_made_up_page_is_no_error(sign_in: SignIn, runtime: Runtime) -> None:
    a_resident(runtime)
    client = sign_in("clerk")
    assert client.get("/residents?after=x").status_code == 200
    assert client.get(f"/residents?after={uuid4()}").status_code == 200


def test_who_opens_a_page_is_written_down_once_an_hour(sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    resident_id = a_resident(runtime)

    def looks() -> list[tuple[str, str]]:
        with runtime.sessions.read() as session:
            entries = session.scalars(select(AuditEntry).where(AuditEntry.deed == "resident.look")).all()
        return [(entry.actor_name, entry.subject) for entry in entries]

    clerk, subject = sign_in("clerk"), f"resident:{resident_id}"
    for _ in range(2):
        assert clerk.get(f"/residents/{resident_id}").status_code == 200
    assert [found for _, found in looks()] == [subject]
    clock.now += timedelta(hours=1)
    assert clerk.get(f"/residents/{resident_id}").status_code == 200
    assert sign_in("county").get(f"/residents/{resident_id}").status_code == 200
    assert [found for _, found in looks()] == [subject] * 3
    assert len({name for name, _ in looks()}) == 2
    assert clerk.get(f"/residents/{uuid4()}").status_code == 404
    assert len(looks()) == 3
