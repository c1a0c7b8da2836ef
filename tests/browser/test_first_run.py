"""From a new server to a dashboard that updates itself, in a real browser."""

import time

import httpx
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.control.live import LiveServer

EMAIL, PASSWORD = "root@example.net", "a long enough password"


def code_for(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def set_up_totp(visitor: Visitor) -> str:
    """Set up an authenticator app as one does; return its secret."""
    visitor.go("/account/two-factor/")
    visitor.page.get_by_role("link", name="Set up").click()
    visitor.fill(password=PASSWORD)
    visitor.press("Go on")
    secret = visitor.page.get_by_label("Secret").input_value()
    visitor.fill(code=code_for(secret))
    visitor.press("Switch on")
    expect(visitor.page.locator("#recovery-codes li")).to_have_count(10)
    return secret


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
    secret = set_up_totp(visitor)

    visitor.page.locator("summary", has_text="Your account").click()
    visitor.press("Sign out")
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
    visitor.fill(code=_next_code(secret))
    visitor.press("Sign in")

    expect(visitor.page.locator("[name=name]")).to_have_value("billing system")
    expect(visitor.page.get_by_label("Only read")).to_be_checked()
    expect(visitor.page.locator("[data-typed-notice]")).to_be_visible()


def _next_code(secret: str) -> str:
    """A code opens once; that of the step after this one is taken already (RFC 6238, 5.2)."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + 1)))
