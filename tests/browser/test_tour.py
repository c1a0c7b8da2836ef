"""The ten main pages of a small operator: people with screen readers, and the strict policy."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.browser.tour import EMAIL, TOUR, ids_of
from tests.browser.visitor import Visitor
from tests.control.live import PASSWORD, LiveServer

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
CUT = """() => [...document.querySelectorAll(".table-responsive")]
    .some((table) => table.scrollWidth > table.clientWidth)"""
INLINE = re.compile(r"<style|<[^>]+\s(style|on[a-z]+)=|<script(?![^>]*(\ssrc=|json))")


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(state=tmp_path_factory.mktemp("operator") / "state")
    server.start()
    server.run_beside("tests.browser.small_operator")
    yield server
    server.terminate()


def test_the_main_pages_can_be_read_by_all_and_break_no_rule(
    browser: Browser, operator: LiveServer
) -> None:
    visitor = Visitor(browser, operator.url, viewport=DESK)
    with operator.client() as api:
        ids = ids_of(api, PASSWORD)
    visitor.go("/sign-in/")
    visitor.sign_in(EMAIL, PASSWORD)
    expect(visitor.page.get_by_role("heading", name="Dashboard")).to_be_visible()
    faults: list[str] = []

    for stop in TOUR:
        visitor.go(stop.address(ids))
        expect(visitor.page.locator("h1")).to_contain_text(stop.heading)
        found = visitor.faults_of_accessibility()
        if visitor.page.evaluate(CUT):
            found.append("a table is cut at a desk")
        visitor.page.emulate_media(color_scheme="dark")
        found += visitor.faults_of_accessibility("color-contrast", "link-in-text-block")
        visitor.page.emulate_media(color_scheme="light")
        faults += [f"{stop.name}: {fault}" for fault in found]
        html = visitor.page.request.get(stop.address(ids)).text()
        faults += [f"{stop.name}: {inline[0]}" for inline in INLINE.finditer(html)]
        visitor.page.set_viewport_size(PHONE)
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if visitor.page.evaluate(wide) > 0:
            faults.append(f"{stop.name}: wider than a phone")
        visitor.page.set_viewport_size(DESK)

    visitor.close()
    assert "\n".join(faults) == ""
    assert visitor.complaints == []
