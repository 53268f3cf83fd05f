"""Single loudspeakers are left out or chosen: on the compose page, by programs, in the order."""

from collections.abc import Callable

import pytest
from apilab import problem_of, program
from builders import BRIDGE, HILL, NORTH
from composelab import FETCH, HTMX, SignIn, a_form, part, said, stored, submitted
from deliverylab import B1, B2, H1, H2
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select, update

from broadcasts.announcements import horns
from broadcasts.announcements.forms import Values, horns_of
from broadcasts.audience.selection import Audience
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker

Page = Callable[[dict[str, object]], str]
EVERY = [B1, B2]


def meant(runtime: Runtime) -> set[str]:
    with runtime.sessions.read() as session:
        return set(session.scalars(select(SpeakerDelivery.speaker_id)))


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        (Values(), ((), ())),
        (Values(listed=("a", "b"), ticked=("a", "b")), ((), ())),
        (Values(listed=("a", "b"), ticked=("b",)), ((), ("a",))),
        (Values(listed=("a",), ticked=("a",), without=("a", "z")), ((), ("z",))),
        (Values(only=("a", "z"), listed=("a", "b"), ticked=("b",)), (("z", "b"), ())),
        (Values(listed=("a",), ticked=("b",)), ((), ("a",))),
        (Values(without=("<b>",)), ((), ())),
    ],
)
def test_what_was_ticked_and_what_was_not_listed_is_told_apart(values: Values, chosen: object) -> None:
    assert horns_of(values) == chosen


def test_all_loudspeakers_of_the_chosen_villages_stand_ticked(sign_in: SignIn) -> None:
    page = sign_in("clerk").post("/compose/preview", data=a_form()).text
    assert page.count('name="horn"') == page.count('name="listed"') == 2
    assert page.count('name="listed"') == page.count("checked", page.index('id="horns"'), page.index('id="sms-count"'))


def test_the_list_follows_the_villages_and_stays_while_they_stay(sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    fresh = clerk.post("/compose/preview", data=a_form(region=[BRIDGE, HILL]), headers=FETCH | HTMX).text
    assert fresh.count('name="listed"') == 4
    same = clerk.post("/compose/preview", data=a_form(listed=EVERY, horn=EVERY), headers=FETCH | HTMX).text
    assert 'id="horns"' not in same, "what somebody is ticking is not pulled away"


def test_an_unticked_loudspeaker_is_counted_out_kept_and_stays_silent(sign_in: SignIn, runtime: Runtime) -> None:
    clerk, given = sign_in("clerk"), {"listed": EVERY, "horn": [B2]}
    page = clerk.post("/compose/preview", data=a_form(**given)).text
    assert "1 个村的 1 只喇叭会响" in said(page)
    assert "没勾的 1 只不响" in said(page)
    written = submitted(clerk, **given)
    assert Audience.from_json(stored(runtime, written).audience).without == (B1,)
    again = clerk.get(f"/compose/{written}").text
    assert "1 只没勾，不会响" in part(again, "horns")
    approver = sign_in("approver")
    seen = stored(runtime, written).content_hash
    assert approver.post(f"/approvals/{written}/approve", data={"seen_hash": seen}).status_code == 302
    assert meant(runtime) == {B2}
    with runtime.sessions.read() as session:
        assert session.scalars(select(PlayOrder)).one().targets[0]["not"] == [B1]
        broadcast = session.scalars(select(SpeakerDelivery.broadcast_id)).first()
    assert "没勾的 1 只" in said(clerk.get(f"/broadcasts/{broadcast}").text)


def test_leaving_everybody_out_is_refused(sign_in: SignIn) -> None:
    answer = sign_in("clerk").post("/compose", data=a_form(listed=EVERY, horn=[]) | {"do": "submit"})
    assert answer.status_code == 422


def test_whose_village_is_no_longer_chosen_is_forgotten(sign_in: SignIn, runtime: Runtime) -> None:
    written = submitted(sign_in("clerk"), listed=[*EVERY, H1, H2], horn=[B1, B2, H2])
    assert Audience.from_json(stored(runtime, written).audience).without == ()


def test_with_too_many_to_list_the_page_says_so_and_keeps_what_was_left_out(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(horns, "MOST_LISTED", 1)
    page = sign_in("clerk").post("/compose/preview", data=a_form(without=[B1])).text
    assert "有 1 只喇叭没勾" in part(page, "horns")
    assert f'name="without" value="{B1}"' in page
    assert 'name="listed"' not in page


def a_wish(**given: object) -> dict[str, object]:
    return {"title": "开会", "text": "明天开会。"} | given


def test_a_program_chooses_loudspeakers_and_their_village_is_the_region(app: OpenAPI, runtime: Runtime) -> None:
    clerk = program(app, runtime, "clerk")
    made = clerk.made("/announcements", a_wish(only=[B2, H1]))
    assert (made["regions"], made["only"]) == ([BRIDGE, HILL], sorted([B2, H1]))
    handed = clerk.made(f"/announcements/{made['id']}/submit")
    program(app, runtime, "approver").made(
        f"/announcements/{made['id']}/approve", {"content_hash": handed["content_hash"]}
    )
    assert meant(runtime) == {B2, H1}


def test_a_program_cannot_choose_what_is_not_theirs_or_out_of_service(app: OpenAPI, runtime: Runtime) -> None:
    clerk = program(app, runtime, "clerk")
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).where(Speaker.id == B1).values(state="retired"))
    for wish in ({"only": ["s2001-1"]}, {"only": [B1]}, {"only": ["nobody"]}, {"only": [H1], "regions": [BRIDGE]}):
        problem_of(clerk.post("/announcements", a_wish(**wish)), 422, "speaker_not_there")
    kept = clerk.made("/announcements", a_wish(regions=[NORTH], without=[B1, "s2001-1", H1]))
    assert kept["without"] == [H1]


def test_the_preview_of_a_program_counts_them_out(app: OpenAPI, runtime: Runtime) -> None:
    found = program(app, runtime, "clerk").made("/preview", a_wish(regions=[NORTH], without=[B1, B2, H1]))
    assert found["speakers"] == 1
