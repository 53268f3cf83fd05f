"""设置 says what each room is for and shows the others as tabs; 帮助 opens beside the page."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import KEY
from hub.web.menu import SETTINGS, Menu

SignIn = Callable[[str], FlaskClient]
TABS = re.compile(r'<ul class="setting-parts">(.*?)</ul>')
HELP = re.compile(r'href="(/help/about/[^"]+)" target="_blank" rel="noopener"')


def tabs_of(page: str) -> list[str]:
    (found,) = TABS.findall(page)
    return re.findall(r"<a [^>]*>([^<]+)</a>", found)


def test_every_room_behind_settings_says_what_it_is_for(one_app: OpenAPI) -> None:
    entries = [e for e in one_app.extensions[KEY].get(Menu).entries if e.group == SETTINGS]
    with one_app.test_request_context():
        assert len(entries) > 10
        assert [e.key for e in entries if not str(e.about)] == []


def test_the_first_page_lists_the_rooms_with_what_they_are_for(sign_in: SignIn) -> None:
    page = sign_in("county").get("/settings").text
    assert "谁能登录，能做什么，管哪里" in page
    assert page.index("本单位") < page.index("用户与权限") < page.index("安静时段")
    assert "setting-parts" not in page, "the first page has no tabs: it is all of them"


def test_everybody_has_the_tabs_of_what_they_may_use(sign_in: SignIn) -> None:
    assert tabs_of(sign_in("county").get("/accounts").text) == [
        "全部设置", "本单位", "用户与权限", "预案", "安静时段", "短信通道", "声音与读音", "接口密钥", "系统状态",
    ]  # fmt: skip
    assert tabs_of(sign_in("clerk").get("/settings/quiet").text) == [
        "全部设置", "村民扫码页", "预案", "安静时段", "短信模板", "接口密钥",
    ]  # fmt: skip


def test_the_rooms_of_the_open_part_stand_below_its_tab(sign_in: SignIn) -> None:
    page = sign_in("county").get("/accounts").text
    rooms = re.findall(r'<ul class="setting-rooms">(.*?)</ul>', page)
    assert [re.findall(r"<a [^>]*>([^<]+)</a>", one) for one in rooms] == [["用户与权限", "审批规则"]]
    assert 'href="/accounts" aria-current="page"' in rooms[0]


def test_quiet_hours_are_told_and_whom_to_ask(sign_in: SignIn) -> None:
    page = sign_in("clerk").get("/settings/quiet").text
    assert "21:00–6:30、12:30–14:00" in page
    assert "60 分钟" in page
    assert "quiet_hours" in page


@pytest.mark.parametrize(
    ("who", "path", "about"),
    [
        ("duty", "/emergency", "emergency"),
        ("duty", "/drill", "drill"),
        ("duty", "/practice", "practice"),
        ("county", "/accounts", "accounts"),
        ("clerk", "/compose", "compose"),
    ],
)
def test_help_opens_beside_the_page_so_that_nothing_typed_is_lost(
    sign_in: SignIn, who: str, path: str, about: str
) -> None:
    client = sign_in(who)
    links = HELP.findall(client.get(path).text)
    assert set(links) == {f"/help/about/{about}"}
    assert client.get(links[0], follow_redirects=True).text.count(f'<section id="{about}">') == 1
