"""A passkey in a real browser: made on one's own account, then signed in with by one press, then taken off."""

from collections.abc import Iterator

import pytest
from pagelab import Served
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    yield context.new_page()
    context.close()


def test_a_passkey_is_made_signs_in_and_is_taken_off(served: Served, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    home = served.address.replace("127.0.0.1", "localhost")
    page.goto(f"{home}/sign-in")
    page.fill("input[name=login]", "duty")
    page.fill("input[name=password]", "cunxiang-demo")
    page.click("form[action='/sign-in'] button[type=submit]")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{home}/account/passkeys")
    page.fill("input[name=name]", "我的手机")
    page.click("text=加通行密钥")
    page.wait_for_selector("text=通行密钥加好了")
    page.context.clear_cookies()
    page.goto(f"{home}/sign-in?next=/account/passkeys")
    page.click("text=用通行密钥登录")
    page.wait_for_url(f"{home}/account/passkeys")
    assert "上次用：" in page.inner_text("main")
    page.click("text=删掉")
    page.wait_for_selector("text=这个通行密钥不能再登录了")
    page.context.clear_cookies()
    page.goto(f"{home}/sign-in")
    page.click("text=用通行密钥登录")
    page.wait_for_selector("text=这个通行密钥不对")
    assert [text for text in said if "401" not in text] == []


def test_by_an_address_of_digits_the_page_says_where_it_works(served: Served, page: Page) -> None:
    page.goto(f"{served.address}/sign-in")
    assert page.query_selector("[data-passkey]") is None
    page.fill("input[name=login]", "duty")
    page.fill("input[name=password]", "cunxiang-demo")
    page.click("form[action='/sign-in'] button[type=submit]")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{served.address}/account/passkeys")
    assert "你是从别的网址进来的" in page.inner_text("main")
