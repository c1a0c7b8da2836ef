"""The site before the running lab: what an operator sees and does in a real browser."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from openbond.lab.layout import LINES
from tests.browser.visitor import Visitor

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab"), pytest.mark.timeout(400)]
CHANGES_WITHIN = 5.0  # seconds, issue 7
SLOW = 60_000  # milliseconds: a test of the line runs meanwhile


@pytest.fixture
def operator(browser: Browser, site: Site) -> Iterator[Visitor]:
    """The lab's administrator, signed in, before the page of the bond."""
    record = site.lab.record
    visitor = Visitor(browser, record.url)
    visitor.go(f"/bonds/{site.bond_id}/")
    visitor.sign_in(record.email, site.lab.directory.password_file.read_text().strip())
    yield visitor
    visitor.close()


def test_the_page_of_a_bond_shows_a_cut_leg_by_itself(operator: Visitor, site: Site) -> None:
    line = LINES[0]
    row = operator.page.locator("table.bond-legs tr", has_text=line.interface)
    expect(row).to_contain_text("up")
    expect(operator.page.locator("[data-live-mark]")).to_be_visible()

    site.cut(line)
    began = time.monotonic()
    try:
        expect(row).to_contain_text("down", timeout=SLOW)
        took = time.monotonic() - began
    finally:
        site.mend(line)

    assert took < CHANGES_WITHIN + 5.0, "5 s, and what a busy machine adds"
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
