"""Readings, words to watch for and how a text is read, for programs."""

import pytest
from apilab import fields_of, problem_of, program
from builders import NORTH
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime

WORD = {"word": "青石冲", "said": "qing1 shi2 chong4", "note": "地名"}


def test_a_reading_is_added_used_changed_and_removed(app: OpenAPI, runtime: Runtime) -> None:
    county, clerk = program(app, runtime, "county"), program(app, runtime, "clerk")
    made = county.made("/lexicon", WORD)
    assert (made["kind"], made["said"], made["active"]) == ("pinyin", "qing1 shi2 chong4", True)
    found = clerk.post("/readings", {"text": "青石冲今天停水"}).json
    assert found is not None
    assert found["pinyin"].startswith("qīng shí chòng")
    county.put(f"/lexicon/{made['id']}", WORD | {"active": False})
    again = clerk.post("/readings", {"text": "青石冲今天停水"}).json
    assert again is not None
    assert again["pinyin"].startswith("qīng shí chōng")
    listed = clerk.get("/lexicon").json
    assert listed is not None
    assert [item["active"] for item in listed["items"]] == [False]
    left = county.call("DELETE", f"/lexicon/{made['id']}").json
    assert left == {"items": []}


def test_a_wrong_reading_is_refused_at_its_field(app: OpenAPI, runtime: Runtime) -> None:
    answer = program(app, runtime, "county").post("/lexicon", WORD | {"said": "qing1"})
    assert fields_of(answer) == {"said": "lexicon_syllables"}


@pytest.mark.parametrize("login", ["clerk", "stranger", "approver"])
def test_a_part_of_the_county_changes_nothing(app: OpenAPI, runtime: Runtime, login: str) -> None:
    someone = program(app, runtime, login)
    problem_of(someone.post("/lexicon", WORD), 403, "not_allowed")
    problem_of(someone.put("/wording", {"word": "打鸡蛋"}), 403, "not_allowed")
    listed = someone.get("/lexicon").json
    assert listed == {"items": []}


def test_watched_words_show_in_findings_and_hold_an_announcement_back(app: OpenAPI, runtime: Runtime) -> None:
    county, clerk = program(app, runtime, "county"), program(app, runtime, "clerk")
    words = county.put("/wording", {"word": "打鸡蛋", "say": "打鸡子", "blocking": True}).json
    assert words is not None
    assert words["items"][0]["word"] == "打鸡蛋"
    text = {"title": "学做菜", "text": "今天教大家打鸡蛋。", "regions": [NORTH]}
    preview = clerk.post("/preview", text).json
    assert preview is not None
    [finding] = preview["findings"]
    assert (finding["code"], finding["level"], finding["fixes"][0]["text"]) == ("forbidden_word", "must", "打鸡子")
    made = clerk.made("/announcements", text)
    assert fields_of(clerk.post(f"/announcements/{made['id']}/submit")) == {"text": "text_must_mend"}
    county.call("DELETE", "/wording/打鸡蛋")
    assert clerk.post(f"/announcements/{made['id']}/submit").status_code == 200


def test_a_text_is_read_with_everything_worth_a_look(app: OpenAPI, runtime: Runtime) -> None:
    found = program(app, runtime, "clerk").post("/readings", {"text": "14:30开会，找单会计。"}).json
    assert found is not None
    assert found["spoken"] == "十四点三十分开会，找单会计。"
    assert [(f["code"], f["level"]) for f in found["findings"]] == [("no_day", "advice"), ("polyphone", "advice")]
    assert found["findings"][1]["fixes"][1]["text"] == "单{shan4}"


def test_what_is_said_in_a_drill_says_so_from_end_to_end(app: OpenAPI, runtime: Runtime) -> None:
    clerk = program(app, runtime, "clerk")
    text = {"title": "撤离演练", "text": "请沿河各家马上到村委会集合。", "regions": [NORTH], "theme": "drill"}
    preview = clerk.post("/preview", text).json
    assert preview is not None
    [finding] = preview["findings"]
    assert (finding["code"], finding["level"]) == ("drill", "must")
    made = clerk.made("/announcements", text)
    assert fields_of(clerk.post(f"/announcements/{made['id']}/submit")) == {"text": "text_must_mend"}
    better = finding["fixes"][0]["text"]
    assert better.startswith("演练，演练，演练")
    assert better.endswith("演练，演练，演练。")
    assert clerk.call("PUT", f"/announcements/{made['id']}", text | {"text": better}).status_code == 200
    assert clerk.post(f"/announcements/{made['id']}/submit").status_code == 200
    plain = {"text": text["text"]}
    assert clerk.post("/readings", plain).json == (clerk.post("/readings", plain | {"drill": False}).json)
    said = clerk.post("/readings", plain | {"drill": True}).json
    assert said is not None
    assert [found["code"] for found in said["findings"]] == ["drill"]
