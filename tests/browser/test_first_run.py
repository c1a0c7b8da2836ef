"""From a new server to a dashboard that updates itself, in a real browser."""

import httpx
from playwright.sync_api import expect

from tests.browser.authenticator import code_for, set_up_totp
from tests.browser.visitor import Visitor
from tests.control.live import LiveServer

EMAIL, PASSWORD = "root@example.net", "a long enough password"


def test_a_new_server_gets_its_administrator_who_guards_his_account(
    visitor: Visitor, new_server: tuple[LiveServer, str]
) -> None:
    server, code = new_server
    visitor.go("/")
    visitor.fill(email=EMAIL, password=PASSWORD, repeated=PASSWORD, code=code)
    assert visitor.faults_of_accessibility() == []
    visitor.press("Make the administrator")
    assert visitor.faults_of_accessibility() == []
    visitor.sign_in(EMAIL, PASSWORD)
    secret = set_up_totp(visitor, PASSWORD)

    visitor.sign_out()
    visitor.page.get_by_role("link", name="Forgotten your password?").click()
    assert visitor.faults_of_accessibility() == []
    visitor.page.get_by_role("link", name="Back to sign-in").click()
    visitor.sign_in(EMAIL, PASSWORD)
    visitor.fill(code=code_for(secret))
    visitor.press("Sign in")

    expect(visitor.page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(visitor.page.get_by_text("Three steps to the first bond")).to_be_visible()
    assert visitor.faults_of_accessibility() == []
    _the_dashboard_updates_itself(visitor, server)
    _looks_right_everywhere(visitor)
    _typed_values_outlive_the_session(visitor, secret)
    assert visitor.complaints == []


def _the_dashboard_updates_itself(visitor: Visitor, server: LiveServer) -> None:
    expect(visitor.page.locator("[data-live-mark]")).to_be_visible()
    with server.client() as api:
        answer = api.post(
            "/api/v3/aggregators/",
            auth=httpx.BasicAuth(EMAIL, PASSWORD),
            json={"name": "far end", "ip": "198.51.100.10"},
        )
    assert answer.status_code == 201, answer.text

    expect(visitor.page.get_by_role("region", name="Aggregators")).to_contain_text("1")
    assert visitor.faults_of_accessibility() == []


def _looks_right_everywhere(visitor: Visitor) -> None:
    visitor.page.emulate_media(color_scheme="dark")
    dark = visitor.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert visitor.faults_of_accessibility() == []
    visitor.page.emulate_media(color_scheme="light")
    light = visitor.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert dark != light
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visitor.page.evaluate(wide) <= 0
    heading = visitor.page.get_by_role("heading", name="Dashboard").bounding_box()
    assert heading
    assert heading["y"] < 110, "no empty line above it on a phone"
    visitor.page.get_by_label("Open the menu").click()
    expect(visitor.page.get_by_role("link", name="Dashboard")).to_be_visible()
    visitor.page.set_viewport_size({"width": 1280, "height": 800})


def _typed_values_outlive_the_session(visitor: Visitor, secret: str) -> None:
    visitor.go("/account/tokens/")
    visitor.fill(name="billing system")
    visitor.page.get_by_label("Only read").check()
    visitor.lose_the_session()
    visitor.press("Make token")
    visitor.sign_in(EMAIL, PASSWORD)
    visitor.fill(code=code_for(secret, later=1))
    visitor.press("Sign in")

    expect(visitor.page.locator("[name=name]")).to_have_value("billing system")
    expect(visitor.page.get_by_label("Only read")).to_be_checked()
    expect(visitor.page.locator("[data-typed-notice]")).to_be_visible()
