"""Every route of the room, tried by strangers, by people without the right, and by nobody."""

import pytest
from composelab import FETCH, SignIn, a_form, all_stored, said, stored, submitted
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.approvals.lifecycle import State
from broadcasts.delivery.models import Broadcast
from hub.core.runtime import Runtime

ID = "<id>"
COMPOSING = [
    ("POST", "/compose/mend"),
    ("GET", "/compose"),
    ("GET", f"/compose/{ID}"),
    ("POST", "/compose"),
    ("POST", "/compose/ready"),
    ("POST", "/compose/sms-template"),
    ("POST", "/compose/try"),
    ("POST", "/compose/preview"),
    ("POST", "/compose/listen"),
    ("GET", "/announcements"),
]
APPROVING = [
    ("GET", "/approvals"),
    ("POST", f"/approvals/{ID}/approve"),
    ("POST", f"/approvals/{ID}/return"),
]
OTHERS = [
    ("POST", "/compose/autosave"),
    ("GET", "/compose/audio/<sha>.mp3"),
    ("GET", f"/announcements/{ID}"),
    ("POST", f"/announcements/{ID}/withdraw"),
]
ALL = [*COMPOSING, *APPROVING, *OTHERS]


@pytest.fixture
def waiting(runtime: Runtime, sign_in: SignIn) -> str:
    """Something of the north that waits for approval."""
    return str(submitted(sign_in("clerk"), title="北镇的事"))


def untouched(runtime: Runtime) -> bool:
    [only] = all_stored(runtime)
    with runtime.sessions.read() as session:
        return (
            only.state is State.SUBMITTED and only.title == "北镇的事" and not session.scalars(select(Broadcast)).all()
        )


def test_the_list_below_holds_every_route(app: OpenAPI) -> None:
    known = {
        (method, str(rule).replace("<uuid:announcement_id>", ID).replace("<sha256>", "<sha>"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith(("announcements.", "announcement_texts.", "reviews.give_back"))
        and not str(rule).startswith("/api/")
    }
    assert known == set(ALL)


def test_nobody_comes_in_without_signing_in(app: OpenAPI, runtime: Runtime, waiting: str) -> None:
    sha256 = all_stored(runtime)[0].audio_sha256
    for method, address in ALL:
        address = address.replace(ID, waiting).replace("<sha>", sha256)  # noqa: PLW2901
        answer = app.test_client().open(address, method=method, data=a_form(id=waiting) if method == "POST" else None)
        if address == "/compose/autosave":
            assert answer.status_code == 401
        else:
            assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/sign-in"), address
        assert "北镇的事" not in answer.text
    assert untouched(runtime)


@pytest.mark.parametrize("login", ["viewer", "duty", "county", "approver"])
def test_who_does_not_write_does_not_compose(runtime: Runtime, sign_in: SignIn, waiting: str, login: str) -> None:
    browser = sign_in(login)
    for method, address in COMPOSING:
        data = a_form(id=waiting, do="submit") if method == "POST" else None
        assert browser.open(address.replace(ID, waiting), method=method, data=data).status_code == 403, address
    assert browser.post("/compose/autosave", data=a_form(), headers=FETCH).status_code == 403
    menu = browser.get("/").text.partition("<main")[0]
    assert 'href="/compose"' not in menu
    assert 'href="/announcements"' not in menu
    assert untouched(runtime)


@pytest.mark.parametrize("login", ["clerk", "secretary", "viewer", "duty", "county"])
def test_who_does_not_approve_has_no_desk(runtime: Runtime, sign_in: SignIn, waiting: str, login: str) -> None:
    browser = sign_in(login)
    seen = {"seen_hash": all_stored(runtime)[0].content_hash, "reason": "不行"}
    for method, address in APPROVING:
        data = seen if method == "POST" else None
        assert browser.open(address.replace(ID, waiting), method=method, data=data).status_code == 403, address
    assert 'href="/approvals"' not in browser.get("/").text.partition("<main")[0]
    assert untouched(runtime)


def test_an_approver_of_another_township_sees_and_approves_nothing(
    runtime: Runtime, sign_in: SignIn, waiting: str
) -> None:
    browser = sign_in("strange_approver")
    seen = {"seen_hash": all_stored(runtime)[0].content_hash, "reason": "不行"}
    desk = browser.get("/approvals")
    assert "没有等你审批的" in said(desk.text)
    assert '<b class="count">' not in desk.text
    for method, address in (*APPROVING[1:], *OTHERS[2:]):
        data = seen if method == "POST" else None
        assert browser.open(address.replace(ID, waiting), method=method, data=data).status_code == 404, address
    assert untouched(runtime)


def test_a_clerk_of_another_township_sees_and_changes_nothing(runtime: Runtime, sign_in: SignIn, waiting: str) -> None:
    browser = sign_in("stranger")
    form = a_form(id=waiting, title="改掉", region=["990101002001"])
    assert browser.get(f"/compose/{waiting}").status_code == 404
    assert browser.get(f"/announcements/{waiting}").status_code == 404
    assert browser.post(f"/announcements/{waiting}/withdraw").status_code == 404
    for do in ("save", "submit"):
        assert browser.post("/compose", data=form | {"do": do}).status_code == 404
    assert browser.post("/compose/autosave", data=form, headers=FETCH).status_code == 404
    assert "北镇的事" not in browser.get("/announcements").text
    assert "北镇" not in browser.get("/compose").text.partition("<main")[2]
    assert untouched(runtime)


def test_a_colleague_may_look_at_what_waits_but_not_change_it(runtime: Runtime, sign_in: SignIn, waiting: str) -> None:
    browser = sign_in("secretary")
    assert "北镇的事" in browser.get(f"/announcements/{waiting}").text
    assert browser.get(f"/compose/{waiting}").status_code == 403
    assert browser.post("/compose", data=a_form(id=waiting, do="save")).status_code == 403
    assert untouched(runtime)


def test_a_draft_is_nobody_elses_business(runtime: Runtime, sign_in: SignIn) -> None:
    form = a_form(title="没写完")
    sign_in("clerk").post("/compose", data=form | {"do": "save"})
    for login in ("approver", "secretary", "viewer"):
        assert sign_in(login).get(f"/announcements/{form['id']}").status_code == 404, login
    assert sign_in("secretary").get(f"/compose/{form['id']}").status_code == 404
    assert sign_in("secretary").get(f"/compose?copy={form['id']}").status_code == 404


def test_who_only_watches_hears_no_recordings(runtime: Runtime, sign_in: SignIn, waiting: str) -> None:
    address = f"/compose/audio/{all_stored(runtime)[0].audio_sha256}.mp3"
    viewer = sign_in("viewer")
    assert viewer.get(address).status_code == 403
    assert address not in viewer.get(f"/announcements/{waiting}").text
    assert sign_in("approver").get(address, buffered=True).status_code == 200


def test_the_menu_counts_what_waits_for_this_person(runtime: Runtime, sign_in: SignIn, waiting: str) -> None:
    assert '<b class="count">1' in sign_in("approver").get("/approvals").text
    assert stored(runtime, all_stored(runtime)[0].id).state is State.SUBMITTED


def test_somebody_with_stop_rights_may_withdraw_what_is_booked(runtime: Runtime, sign_in: SignIn) -> None:
    announcement_id = submitted(sign_in("clerk"), when="once", day="2026-11-23", at="18:30")
    seen = {"seen_hash": stored(runtime, announcement_id).content_hash}
    sign_in("approver").post(f"/approvals/{announcement_id}/approve", data=seen)
    duty = sign_in("duty")
    assert "不播了" in duty.get(f"/announcements/{announcement_id}").text
    assert "不播了" not in sign_in("viewer").get(f"/announcements/{announcement_id}").text
    assert duty.post(f"/announcements/{announcement_id}/withdraw").status_code == 302
    assert stored(runtime, announcement_id).state is State.WITHDRAWN
