"""An authenticator app: set up through the page of second factors, and asked for codes."""

import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect

from tests.browser.visitor import Visitor

STEP_SECONDS = 30


def set_up_totp(visitor: Visitor, password: str) -> str:
    """Set up an authenticator app as one does; return its secret."""
    visitor.go("/account/two-factor/")
    visitor.page.get_by_role("link", name="Set up").click()
    visitor.fill(password=password)
    visitor.press("Go on")
    secret = visitor.page.get_by_label("Secret").input_value()
    visitor.fill(code=code_for(secret))
    visitor.press("Switch on")
    expect(visitor.page.locator("#recovery-codes li")).to_have_count(10)
    return secret


def code_for(secret: str, *, later: int = 0) -> str:
    """Return the code of now, or of a later step.

    A code opens once; after it that of the step after this one is taken already (RFC 6238, 5.2).
    """
    step = int(time.time()) // STEP_SECONDS + later
    return str(format_hotp_value(hotp_value(secret, step)))
