"""The site before the running lab: what an operator sees and does in a real browser."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from openbond.lab.layout import LINES
from openbond.lab.waiting import wait_until
from tests.browser.authenticator import code_for, set_up_totp
from tests.browser.forms import change, fill_and_make
from tests.browser.visitor import Visitor

from .site import Site, all_applied

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab"), pytest.mark.timeout(400)]
CHANGES_WITHIN = 5.0  # seconds after the server knows, issue 7
BUSY = 25.0  # more, on a machine that others work on
SLOW = 60_000  # milliseconds: a test of the line runs meanwhile
TUNED = 240_000  # a short tuning, on a busy machine
ANA, PASSWORD = "ana@openbond.example", "a long enough password"


def test_the_page_of_a_bond_shows_a_cut_leg_by_itself(operator: Visitor, site: Site) -> None:
    line = LINES[0]
    row = operator.page.locator("table.bond-legs tr", has_text=line.interface)
    expect(row).to_contain_text("up")
    expect(operator.page.locator("[data-live-mark]")).to_be_visible()

    site.cut(line)
    try:
        site.wait_for_states({line.number: "down"}, patience=30)
        known = time.monotonic()
        expect(row).to_contain_text("down", timeout=SLOW)
        took = time.monotonic() - known
    finally:
        site.mend(line)

    print(f"the page shows it {took:.1f} s after the server knew")  # noqa: T201 - for the docs
    assert took < CHANGES_WITHIN + BUSY
    expect(row).not_to_contain_text("down", timeout=SLOW)
    assert operator.complaints == []


def test_a_speed_test_is_started_watched_and_read_in_the_browser(
    operator: Visitor, site: Site
) -> None:
    operator.page.goto(f"/bonds/{site.bond_id}/test/")
    leg = site.leg(LINES[0])
    operator.page.select_option("[name=leg]", str(leg.id))
    operator.fill(length="6")
    operator.press("Start the test")

    expect(operator.page.locator("progress")).to_be_visible(timeout=SLOW)
    expect(operator.page.locator("progress")).to_have_count(0, timeout=SLOW)
    operator.page.goto(f"/bonds/{site.bond_id}/speedtests/")
    expect(operator.page.locator("table")).to_contain_text("finished")
    assert operator.complaints == []


def test_a_change_is_taken_back_in_the_browser(operator: Visitor, site: Site) -> None:
    before = site.bond().name
    operator.go(f"/bonds/{site.bond_id}/edit/")
    operator.fill(name="renamed by mistake")
    operator.page.locator(".objects-save button").click()
    expect(operator.page.get_by_role("heading", name="renamed by mistake")).to_be_visible()

    operator.page.locator("table a[href^='/audit/']").first.click()
    operator.page.get_by_role("link", name="Take back…").click()
    operator.press("Take back what is ticked")

    expect(operator.page.get_by_role("heading", name=before)).to_be_visible()
    assert site.bond().name == before
    assert operator.complaints == []


@pytest.fixture
def ana(operator: Visitor, browser: Browser, site: Site) -> Iterator[Visitor]:
    """A colleague whose account the administrator has made; not signed in."""
    operator.go("/users/new/")
    operator.page.get_by_label("Administrator", exact=True).check()
    account = fill_and_make(operator, email=ANA, password=PASSWORD, space="Root")
    visitor = Visitor(browser, site.lab.record.url)
    yield visitor
    visitor.close()
    site.api.delete(f"/api/v3/users/{account}/")


def test_whoever_has_an_authenticator_comes_in_by_password_and_code(
    ana: Visitor, site: Site
) -> None:
    bond = f"/bonds/{site.bond_id}/"
    ana.go("/sign-in/")
    ana.sign_in(ANA, PASSWORD)
    secret = set_up_totp(ana, PASSWORD)
    ana.sign_out()

    ana.go(bond)
    ana.sign_in(ANA, PASSWORD)
    asked = ana.page.get_by_role("heading", name="Second factor")
    expect(asked).to_be_visible()
    ana.go(bond)
    expect(asked).to_be_visible()  # the password alone opens nothing
    ana.fill(code=code_for(secret))
    ana.press("Sign in")

    expect(ana.page.get_by_role("heading", name=site.bond().name)).to_be_visible()
    assert ana.complaints == []


@pytest.fixture
def slowed(site: Site) -> Iterator[Site]:
    """The cable's line carries less than its leg is told; both are put back."""
    line, leg = LINES[1], site.leg(LINES[1])
    site.change_leg(leg.id, down_speed=100, up_speed=100)
    site.lab.topology.set_rates(line, down=47, up=9)
    yield site
    site.lab.topology.reset(line)
    site.put_back()
    site.change_leg(leg.id, down_speed=leg.down_speed, up_speed=leg.up_speed)


def test_a_tuner_is_started_and_its_recommendation_accepted_in_the_browser(
    operator: Visitor, slowed: Site
) -> None:
    leg, page = slowed.leg(LINES[1]), operator.page
    operator.go(f"/bonds/{slowed.bond_id}/tune/")
    page.select_option("[name=leg]", str(leg.id))
    operator.press("Start the tuner")
    expect(page.get_by_role("region", name="Under way")).to_contain_text(f"leg #{leg.id}")

    advice = page.get_by_role("region", name=f"Recommended by a tuning of leg #{leg.id}")
    expect(advice).to_be_visible(timeout=TUNED)
    assert slowed.leg(LINES[1]).down_speed == 100, "nothing is changed before it is accepted"
    advice.get_by_role("link", name="Accept").click()
    operator.press("Accept")

    expect(page.get_by_text("accepted", exact=True).first).to_be_visible()
    found = slowed.leg(LINES[1])
    assert 30 < found.down_speed <= 47
    assert 5 < found.up_speed <= 9
    assert operator.complaints == []


def test_a_qos_profile_is_made_in_the_editor_and_acts_on_the_bond(
    operator: Visitor, site: Site
) -> None:
    since, page = site.last_update(), operator.page
    operator.go("/qos/new/")
    operator.fill(name="Voice first")
    page.get_by_label("Move class 2 up").click()
    page.locator("#class-0-bandwidth").fill("20")
    operator.press("Make the profile")
    expect(page.get_by_role("heading", name="Voice first")).to_be_visible()
    profile = f"/api/v3/qos/{page.url.rstrip('/').rpartition('/')[2]}/"
    try:
        change(operator, f"/bonds/{site.bond_id}/edit/", qos_profile="Voice first")

        wait_until(
            lambda: all_applied(site.config_updates(since)),
            what="both ends have the profile",
            patience=120,
        )
        bonder = page.get_by_role("region", name="Bonder", exact=True)
        expect(bonder).to_contain_text("It has applied all that was changed.", timeout=SLOW)
        assert site.can_ping()
    finally:
        site.change_bond(qos_profile=None)
        site.api.delete(profile)
    assert operator.complaints == []
