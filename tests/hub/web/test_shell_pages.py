"""What holds on every page: headers, CSRF, language, light and dark, the menu, errors in words."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import delete, select

from hub.accounts.models import Account
from hub.accounts.models import SignIn as OpenSession
from hub.core.config import HubSettings, Section
from hub.core.runtime import Runtime
from hub.web.guards import CONTENT_POLICY
from hub.web.ways_back import local_path

SignIn = Callable[[str], FlaskClient]


def the_account(runtime: Runtime, login: str = "clerk") -> Account:
    with runtime.sessions.read() as session:
        return session.scalars(select(Account).where(Account.login == login)).one()


def pages_of(app: OpenAPI) -> list[str]:
    """Return every address without a blank that answers GET."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.arguments and not rule.rule.startswith("/static")
    )


def test_every_answer_carries_the_security_headers(app: OpenAPI, sign_in: SignIn) -> None:
    """Of every address there is: tests/flows/test_strangers.py, which walks them anyway."""
    inside, outside = sign_in("county"), app.test_client()
    pages = ["/", "/sign-in", "/speakers", "/metrics", "/nothing", "/static/app.css", "/healthz", "/api/v1/nothing"]
    for path in pages:
        for client in (inside, outside):
            with client.get(path) as answer:
                headers = answer.headers
            assert headers["Content-Security-Policy"] == CONTENT_POLICY, path
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "same-origin", path


def test_whoever_came_by_https_stays_there(app: OpenAPI, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = app.test_client()
    assert "Strict-Transport-Security" not in browser.get("/sign-in").headers, "it would shut people out who have none"
    kind: type[Section] = HubSettings
    changed = runtime.settings.model_copy(update={"public_url": "https://hub.example"})
    monkeypatch.setitem(runtime.config._sections, kind, changed)
    for path in ("/sign-in", "/nothing", "/api/v1/nothing", "/healthz"):
        assert browser.get(path).headers["Strict-Transport-Security"] == "max-age=31536000", path


def test_the_content_policy_lets_nothing_in_from_outside() -> None:
    assert "unsafe" not in CONTENT_POLICY
    assert "http" not in CONTENT_POLICY
    assert "*" not in CONTENT_POLICY
    assert CONTENT_POLICY.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in CONTENT_POLICY


def test_pages_are_not_kept_and_static_files_are_kept_for_ever(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    page = client.get("/speakers")
    assert page.headers["Cache-Control"] == "no-store"
    style = re.findall(r'href="(/static/app.css\?v=[0-9a-f]{12})"', page.text)[0]
    with client.get(style) as answer:
        assert "immutable" in answer.headers["Cache-Control"]


def test_no_page_fails_for_anybody(app: OpenAPI, sign_in: SignIn) -> None:
    for who in ("county", "clerk", "approver", "duty", "secretary", "viewer"):
        client = sign_in(who)
        for path in pages_of(app):
            assert client.get(path, follow_redirects=True).status_code < 500, f"{who} {path}"


def test_the_menu_leads_only_where_one_may_go_and_marks_where_one_is(sign_in: SignIn) -> None:
    for who in ("county", "clerk", "approver", "duty", "secretary", "viewer"):
        client = sign_in(who)
        menu = client.get("/speakers").text.split("<nav")[1].split("</nav>")[0]
        links = set(re.findall(r'href="(/[^"#]*)"', menu))
        assert "/speakers" in links
        for link in links:
            assert client.get(link, follow_redirects=True).status_code == 200, f"{who} {link}"
        assert re.findall(r'href="([^"]+)" aria-current="page"', menu) == ["/speakers"]


def test_the_menu_shows_what_everybody_looks_for_and_folds_the_rest(sign_in: SignIn) -> None:
    client = sign_in("approver")
    seen, _, rest = client.get("/").text.split("</nav>")[0].partition('<details class="side-rest">')
    labels = re.findall(r"<span>([^<]+)</span>", seen)
    wanted = [
        "总览",
        "待审批",
        "节目单",
        "播发记录",
        "专题宣传",
        "手机喊话",
        "喇叭设备",
        "居民与分组",
        "短信收件",
        "覆盖与考核",
    ]
    assert [label for label in labels if label in wanted] == wanted
    assert set(labels) - set(wanted) <= {"操作日志", "设置"}
    assert "短信记录" in rest
    assert '<details class="side-rest" open>' in client.get("/sms").text


def test_the_menu_stays_marked_on_a_page_below(sign_in: SignIn) -> None:
    menu = sign_in("clerk").get("/speakers/s1001-1").text.split("</nav>")[0]
    assert 'href="/speakers" aria-current="page"' in menu


# ---- CSRF


def test_a_form_without_its_token_does_nothing(app: OpenAPI, runtime: Runtime) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client = app.test_client()
    token = re.findall(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)[0]
    form = {"login": "clerk", "password": "correct-horse-7"}
    assert client.post("/sign-in", data=form).status_code == 400
    assert client.post("/sign-in", data=form | {"csrf_token": token}).status_code == 302
    refused = client.post("/language", data={"language": "en"})
    assert (refused.status_code, "刷新一下，贴回去再交" in refused.text) == (400, True)
    assert the_account(runtime).language == "zh"
    for came, back in (("http://localhost/speakers?show=offline", True), ("http://elsewhere.example/speakers", False)):
        page = client.post("/language", data={"language": "en"}, headers={"Referer": came}).text
        assert ('href="/speakers?show=offline"' in page, "回去改" in page) == (back, back)
        assert "elsewhere" not in page


@pytest.mark.parametrize("token_gone", [False, True])
def test_whoever_is_signed_out_is_told_that_nothing_was_sent_and_comes_back(
    app: OpenAPI, runtime: Runtime, sign_in: SignIn, *, token_gone: bool
) -> None:
    client = sign_in("clerk")
    with runtime.sessions.begin() as session:
        session.execute(delete(OpenSession))
    app.config["WTF_CSRF_ENABLED"] = token_gone
    came = {"Referer": "http://localhost/residents/new?x=1"}
    answer = client.post("/residents/new", data={"name": "王"}, headers=came)
    assert (answer.status_code, "什么都没播，什么都没改" in answer.text) == (401, True)
    assert 'href="/sign-in?next=/residents/new?x%3D1"' in answer.text
    assert 'href="/residents/new?x=1" data-back' in answer.text
    part = client.post("/residents/new", headers=came | {"X-Requested-With": "fetch"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/sign-in")
    elsewhere = client.post("/residents/new", headers={"Referer": "http://elsewhere.example/"})
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/sign-in")


def test_every_form_that_changes_something_carries_its_token(sign_in: SignIn, app: OpenAPI) -> None:
    client = sign_in("county")
    for path in [*pages_of(app), "/speakers/s1001-1", "/regions/990101001000"]:
        for form in re.findall(
            r"<form[^>]*method=\"post\".*?</form>", client.get(path).data.decode("utf-8", "replace"), re.DOTALL
        ):
            assert 'name="csrf_token"' in form, f"{path}: {form[:120]}"


# ---- language


def test_english_is_a_press_away_also_before_signing_in(app: OpenAPI) -> None:
    client = app.test_client()
    assert 'lang="zh-CN"' in client.get("/sign-in").text
    answer = client.post("/language", data={"language": "en"}, headers={"Referer": "http://localhost/sign-in?next=/x"})
    assert answer.headers["Location"] == "/sign-in?next=/x"
    page = client.get("/sign-in").text
    assert 'lang="en"' in page
    assert "Sign in" in page


def test_the_language_is_kept_with_the_account(sign_in: SignIn, runtime: Runtime) -> None:
    sign_in("clerk").post("/language", data={"language": "en"})
    assert the_account(runtime).language == "en"
    page = sign_in("clerk").get("/speakers").text
    assert 'lang="en"' in page
    assert "Speakers" in page


def test_an_unknown_language_is_chinese(sign_in: SignIn, runtime: Runtime) -> None:
    sign_in("clerk").post("/language", data={"language": "xx"})
    assert the_account(runtime).language == "zh"


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example"])
@pytest.mark.parametrize("switch", ["/language", "/theme"])
def test_switching_leads_nobody_to_another_site(app: OpenAPI, switch: str, back: str) -> None:
    client = app.test_client()
    by_form = client.post(switch, data={"back": back})
    by_referrer = client.post(switch, headers={"Referer": "https://evil.example/x"})
    assert (by_form.headers["Location"], by_referrer.headers["Location"]) == ("/", "/")


@pytest.mark.parametrize("path", ["/", "/speakers", "/speakers?q=a%20b&x=//y", "/a/b#c"])
def test_paths_of_our_own_are_left_alone(path: str) -> None:
    assert local_path(path) == path


# ---- light and dark


def test_light_or_dark_is_kept_with_the_account_and_undone(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    assert "data-theme=" not in client.get("/speakers").text.split(">")[1]
    client.post("/theme", data={"theme": "dark"}, headers={"Referer": "http://localhost/speakers"})
    assert the_account(runtime).theme == "dark"
    assert '<html lang="zh-CN" data-theme="dark">' in client.get("/speakers").text
    client.post("/theme", data={"theme": ""})
    assert the_account(runtime).theme == "auto"
    assert '<html lang="zh-CN">' in client.get("/speakers").text


def test_an_unknown_theme_is_as_the_device_is(app: OpenAPI) -> None:
    client = app.test_client()
    client.post("/theme", data={"theme": '"><script>'})
    assert '<html lang="zh-CN">' in client.get("/sign-in").text
    client.set_cookie("theme", '"><script>')
    assert '<html lang="zh-CN">' in client.get("/sign-in").text


# ---- errors


def test_a_page_that_is_not_there_says_so_and_offers_a_way_on(sign_in: SignIn) -> None:
    answer = sign_in("clerk").get("/nothing")
    assert (answer.status_code, "没有这一页" in answer.text, 'href="/"' in answer.text) == (404, True, True)


def test_a_fragment_gets_a_notice_instead_of_a_page(sign_in: SignIn) -> None:
    answer = sign_in("clerk").get("/speakers/nobody", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text
    assert "<html" not in answer.text


def test_a_polling_page_whose_session_ended_goes_to_the_sign_in_page(app: OpenAPI) -> None:
    answer = app.test_client().get("/speakers/s1001-1", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in")


def test_a_bug_shows_a_number_and_not_what_happened(fresh_app: OpenAPI, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> str:
        raise RuntimeError("secret 13800001122")

    fresh_app.add_url_rule("/broken", "broken", broken)
    answer = fresh_app.test_client().get("/broken")
    number = re.findall(r"编号 ([0-9a-f]{8})", answer.text)
    assert (answer.status_code, len(number)) == (500, 1)
    assert "13800001122" not in answer.text
    assert number[0] in caplog.text


def test_the_hub_says_that_it_is_well(app: OpenAPI) -> None:
    assert app.test_client().get("/healthz").json == {"status": "ok"}


def test_text_is_packed_for_whoever_takes_it(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    packed = client.get("/speakers", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(client.get("/speakers").data) / 3
