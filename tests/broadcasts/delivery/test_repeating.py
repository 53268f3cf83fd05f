"""What nobody heard on some loudspeakers is said once more there, and nowhere else."""

import re
from uuid import UUID

import pytest
from builders import NORTH
from composelab import SignIn, a_form, said, stored
from deliverylab import B1, B2, H1, H2, Air
from sqlalchemy import select

from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from hub.core.runtime import Runtime


@pytest.fixture
def aired(air: Air, runtime: Runtime) -> UUID:
    """An announcement that was heard in 桥村 and by nobody in 岭村, where the mains were off."""
    written = air.book(text="明天停水，今晚先接好。", sms_text="明天停水", audience=Audience((NORTH,), sms=True))
    air.sender().step()
    with runtime.sessions.read() as session:
        broadcast = session.scalars(select(Broadcast.id).where(Broadcast.announcement_id == written)).one()
    air.offline(H1, H2)
    air.play(broadcast, (B1, B2))
    return broadcast


def only_in(page: str) -> set[str]:
    """The loudspeakers a form names."""
    return set(re.findall(r'name="only" value="([^"]+)"', page))


def test_it_goes_to_the_silent_ones_alone_and_is_approved_anew(
    air: Air, aired: UUID, runtime: Runtime, sign_in: SignIn
) -> None:
    clerk = sign_in("clerk")
    air.later(hours=3)
    page = clerk.get(f"/broadcasts/{aired}").text
    assert "重播没响的 2 只" in page
    again = f"/compose?silent_of={aired}"
    assert f'href="{again}"' in page
    form = clerk.get(again).text
    assert "明天停水，今晚先接好。" in form
    assert only_in(form) == {H1, H2}
    answer = clerk.post(
        "/compose",
        data=a_form(text="明天停水，今晚先接好。", region=[NORTH], only=[H1, H2]) | {"do": "submit"},
    )
    assert answer.status_code == 302, said(answer.text)
    made = stored(runtime, UUID(answer.location.rpartition("/")[2]))
    audience = Audience.from_json(made.audience)
    assert (set(audience.only), audience.sms, made.when) == ({H1, H2}, False, When.NOW)
    assert made.state == "submitted"
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(Broadcast)).all()) == 1, "nothing sounds before somebody has approved it"


def test_not_while_they_may_still_play_it_by_themselves(air: Air, aired: UUID, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    assert "重播没响的" not in clerk.get(f"/broadcasts/{aired}").text
    answer = clerk.get(f"/compose?silent_of={aired}")
    assert answer.status_code == 409
    assert "等它播完再重播" in said(answer.text)


def test_where_all_have_sounded_there_is_nothing_to_repeat(air: Air, aired: UUID, sign_in: SignIn) -> None:
    air.play(aired, (H1, H2))
    air.later(hours=3)
    clerk = sign_in("clerk")
    assert "重播没响的" not in clerk.get(f"/broadcasts/{aired}").text
    answer = clerk.get(f"/compose?silent_of={aired}")
    assert answer.status_code == 409
    assert "不用重播" in said(answer.text)


def test_strangers_and_onlookers_repeat_nothing(air: Air, aired: UUID, sign_in: SignIn) -> None:
    air.later(hours=3)
    assert sign_in("stranger").get(f"/compose?silent_of={aired}").status_code == 404
    viewer = sign_in("viewer")
    assert "重播没响的" not in viewer.get(f"/broadcasts/{aired}").text
    assert viewer.get(f"/compose?silent_of={aired}").status_code == 403


def test_what_no_announcement_stands_behind_is_not_repeated(air: Air, sign_in: SignIn) -> None:
    sent = air.release(NORTH)
    air.later(hours=3)
    clerk = sign_in("clerk")
    assert "重播没响的" not in clerk.get(f"/broadcasts/{sent}").text
    assert clerk.get(f"/compose?silent_of={sent}").status_code == 404
