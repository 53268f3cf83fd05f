"""The voice of a language is chosen by whoever answers for the whole county, and holds from then on."""

from collections.abc import Callable

import builders
import pytest
from apilab import fields_of, problem_of, program
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.speech import audio
from broadcasts.speech.engine import Language, VoiceSpec
from broadcasts.studio import Studio
from broadcasts.voices import service
from broadcasts.voices.choices import Choices
from broadcasts.voices.models import VoiceChoice
from broadcasts.voices.service import Wish
from hub.accounts.roles import Role
from hub.audit.models import AuditEntry
from hub.core.errors import NotAllowed, Problems
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
FORM = {"voice": "tone:beep", "rate": "130", "pitch": "60", "gain_db": "-3"}
WISH = Wish(Language.MANDARIN, "tone", "beep", rate=130, pitch=60, gain_db=-3.0)
BEEP = VoiceSpec(engine="tone", voice="beep", rate=130, pitch=60, gain_db=-3.0)


def chosen(runtime: Runtime) -> dict[Language, VoiceSpec]:
    with runtime.sessions.read() as session:
        return service.all_chosen(session)


def test_a_choice_holds_at_once_and_is_on_record(runtime: Runtime, sign_in: SignIn) -> None:
    county = sign_in("county")
    studio = runtime.get(Studio)
    assert studio.voice_for(Language.MANDARIN).rate == 150
    answer = county.post("/settings/voices/zh", data=FORM, follow_redirects=True)
    assert "换好了" in answer.text
    assert studio.voice_for(Language.MANDARIN) == BEEP
    with runtime.sessions.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.deed == "voice.choose")).one()
    assert (entry.subject, entry.details) == ("voice:zh", {"engine": "tone", "voice": "beep"})


def test_going_back_to_the_configured_voice(runtime: Runtime, sign_in: SignIn) -> None:
    county = sign_in("county")
    county.post("/settings/voices/zh", data=FORM)
    assert "改回默认" in county.post("/settings/voices/zh/forget", follow_redirects=True).text
    assert chosen(runtime) == {}
    assert runtime.get(Studio).voice_for(Language.MANDARIN).rate == 150


def test_a_language_that_was_chosen_can_be_chosen_for_an_announcement(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    assert "用什么话" not in clerk.get("/compose").text
    sign_in("county").post("/settings/voices/yue", data={"voice": "pyttsx3:sit/yue"})
    page = clerk.get("/compose").text
    assert "用什么话" in page
    assert "粤语" in page


def test_the_page_says_who_speaks_who_could_and_what_is_missing(sign_in: SignIn) -> None:
    page = sign_in("county").get("/settings/voices").text
    assert "机器音" in page
    assert "真人感的声音" in page
    assert "cunxiang voices install" in page or "zf_xiaobei" in page
    assert "滴滴声" not in page.partition("装了哪些")[2]
    assert "马上，应急也用它" in page


def test_a_voice_says_its_sentence(runtime: Runtime, sign_in: SignIn) -> None:
    county = sign_in("county")
    answer = county.post("/settings/voices/zh/listen", data=FORM, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    address = answer.text.partition('src="')[2].partition('"')[0]
    with county.get(address) as sound:
        assert sound.mimetype == "audio/mpeg"
    path = runtime.get(Studio).library.path_of(address.rpartition("/")[2].removesuffix(".mp3"))
    assert path
    assert len(audio.decode(path)) > 3 * audio.RATE
    assert chosen(runtime) == {}, "listening chooses nothing"


def test_without_scripts_the_whole_page_comes_back_with_the_sample(sign_in: SignIn) -> None:
    page = sign_in("county").post("/settings/voices/zh/listen", data=FORM).text
    assert "<audio" in page
    assert "<h1" in page


def test_a_voice_that_cannot_speak_says_why_in_its_place(sign_in: SignIn) -> None:
    wrong = {**FORM, "voice": "piper:nobody"}
    answer = sign_in("county").post("/settings/voices/zh/listen", data=wrong, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "没有这个声音" in answer.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"voice": "tone:nobody"}, "没有这个声音"),
        ({"voice": ""}, "没有这个声音"),
        ({"voice": "pyttsx3:sit/yue"}, "没有这个声音"),
        ({"rate": "1000"}, "这里要填数字"),
        ({"rate": "500"}, "语速要在 80 到 300"),
        ({"rate": "nan"}, "这里要填数字"),
        ({"pitch": "-1"}, "音高要在"),
        ({"gain_db": "9"}, "响度要在 -12 到 3"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field_and_changes_nothing(
    runtime: Runtime, sign_in: SignIn, wrong: dict[str, str], words: str
) -> None:
    answer = sign_in("county").post("/settings/voices/zh", data={**FORM, **wrong})
    assert answer.status_code == 422
    assert words in answer.text
    assert chosen(runtime) == {}


def test_a_language_nobody_knows_is_not_found(sign_in: SignIn) -> None:
    assert sign_in("county").post("/settings/voices/xx", data=FORM).status_code == 404


@pytest.mark.parametrize("login", ["clerk", "approver", "secretary", "duty", "viewer", "stranger", "strange_duty"])
def test_nobody_else_sees_the_page_or_changes_a_voice(runtime: Runtime, sign_in: SignIn, login: str) -> None:
    browser = sign_in(login)
    assert browser.get("/settings/voices").status_code == 403
    for path in ("/settings/voices/zh", "/settings/voices/zh/forget", "/settings/voices/zh/listen"):
        assert browser.post(path, data=FORM).status_code == 403
    assert chosen(runtime) == {}


def test_nobody_who_is_not_signed_in_gets_in(app: OpenAPI, runtime: Runtime) -> None:
    browser = app.test_client()
    assert browser.get("/settings/voices").status_code == 302
    assert browser.post("/settings/voices/zh", data=FORM).status_code in (302, 401, 403)
    assert chosen(runtime) == {}


def test_an_administrator_of_one_township_does_not_choose_for_the_county(runtime: Runtime, app: OpenAPI) -> None:
    part = builders.an_actor(Role.COUNTY_ADMIN, builders.SOUTH)
    info = runtime.get(Studio).library.info("tone")
    with runtime.sessions.begin() as session:
        with pytest.raises(NotAllowed):
            service.choose(session, part, WISH, info, now=NOON)
        with pytest.raises(NotAllowed):
            service.forget(session, part, Language.MANDARIN, now=NOON)
    assert chosen(runtime) == {}


def test_every_mistake_is_said_at_once(runtime: Runtime, app: OpenAPI) -> None:
    wish = Wish(Language.MANDARIN, "nobody", "x", rate=1, pitch=101, gain_db=50)
    with pytest.raises(Problems) as caught:
        service.spec_of(wish, None)
    assert {problem.field for problem in caught.value.problems} == {"voice", "rate", "pitch", "gain_db"}


def test_the_choice_of_another_process_is_noticed_a_moment_later(runtime: Runtime, app: OpenAPI) -> None:
    moment = [0.0]
    choices = Choices(runtime.sessions, monotonic=lambda: moment[0])
    assert choices(Language.MANDARIN) is None
    with runtime.sessions.begin() as session:
        session.add(VoiceChoice(
            language=Language.MANDARIN, engine="tone", voice="beep", rate=150, pitch=50, gain_db=0, by="x", at=NOON
        ))  # fmt: skip
    assert choices(Language.MANDARIN) is None
    moment[0] = 3.0
    assert choices(Language.MANDARIN) == VoiceSpec(engine="tone", voice="beep")


def test_programs_list_and_choose_voices(app: OpenAPI, runtime: Runtime) -> None:
    county = program(app, runtime, "county")
    items = county.get("/voices").json["items"]  # type: ignore[index]
    assert {"pyttsx3", "kokoro"} <= {item["engine"] for item in items}
    assert {item["language"] for item in items} == {"zh", "yue", "en"}
    answer = county.put("/voices/en", {"engine": "pyttsx3", "voice": "gmw/en-us", "rate": 140})
    assert answer.status_code == 200
    assert chosen(runtime)[Language.ENGLISH].rate == 140
    speaking = [item["voice"] for item in answer.json["items"] if item["speaks"] and item["language"] == "en"]  # type: ignore[index]
    assert speaking == ["gmw/en-us"]
    assert county.call("DELETE", "/voices/en").status_code == 200
    assert chosen(runtime) == {}


def test_programs_are_refused_as_people_are(app: OpenAPI, runtime: Runtime) -> None:
    county, stranger = program(app, runtime, "county"), program(app, runtime, "stranger")
    problem_of(stranger.get("/voices"), 403, "not_allowed")
    problem_of(stranger.put("/voices/zh", {"engine": "tone", "voice": "beep"}), 403, "not_allowed")
    problem_of(stranger.call("DELETE", "/voices/zh"), 403, "not_allowed")
    assert fields_of(county.put("/voices/zh", {"engine": "tone", "voice": "nobody"})) == {"voice": "voice_unknown"}
    assert county.put("/voices/xx", {"engine": "tone", "voice": "beep"}).status_code in (404, 422)
    assert chosen(runtime) == {}


def test_an_announcement_keeps_its_language(app: OpenAPI, runtime: Runtime) -> None:
    clerk = program(app, runtime, "clerk")
    draft = {"title": "Water", "text": "No water today.", "regions": [builders.BRIDGE], "language": "en"}
    made = clerk.made("/announcements", draft)
    assert made["language"] == "en"
    assert clerk.get(f"/announcements/{made['id']}").json["language"] == "en"  # type: ignore[index]
    handed = clerk.post(f"/announcements/{made['id']}/submit", key="k").json
    assert handed["spoken"] == "No water today."  # type: ignore[index]


def test_the_record_says_who_spoke(app: OpenAPI, runtime: Runtime, sign_in: SignIn) -> None:
    clerk = program(app, runtime, "clerk")
    made = clerk.made("/announcements", {"title": "停水", "text": "今天停水。", "regions": [builders.BRIDGE]})
    assert clerk.post(f"/announcements/{made['id']}/submit", key="k").json["engine"] == "tone"  # type: ignore[index]
    page = sign_in("clerk").get(f"/announcements/{made['id']}").text
    assert "谁读的" in page
    assert "只有滴滴声" in page
