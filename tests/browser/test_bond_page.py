"""The page of a bond and the editor of QoS profiles, in a real browser against a real server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import Visitor
from tests.control.live import PASSWORD, LiveServer

EMAIL = "admin@localhost"
PATIENCE_MS = 30_000  # for a busy machine; it looks every two seconds
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, dict[str, Any]]]:
    server = LiveServer(state=tmp_path_factory.mktemp("server") / "state")
    server.start()
    yield server, told(server, "bond")
    server.terminate()


@pytest.fixture
def visitor(browser: Browser, fleet: tuple[LiveServer, dict[str, Any]]) -> Iterator[Visitor]:
    visitor = Visitor(browser, fleet[0].url)
    visitor.go("/")
    visitor.sign_in(EMAIL, PASSWORD)
    yield visitor
    visitor.close()


def told(server: LiveServer, *words: str) -> Any:
    """Have a process beside the server write what its nodes would."""
    command = [sys.executable, "-m", "tests.browser.fleet", *words]
    environment = server.all_environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_page_of_a_bond_shows_what_hurts_and_changes_by_itself(
    visitor: Visitor, fleet: tuple[LiveServer, dict[str, Any]]
) -> None:
    server, made = fleet
    page = visitor.page
    visitor.go(f"/bonds/{made['bond']}/")

    first = page.locator(".bond-legs tbody tr").first
    expect(first).to_contain_text("wwan0")
    expect(first).to_contain_text("no answer from the other end")
    expect(page.locator(".bond-legs")).to_contain_text("adds 90 ms")
    expect(page.get_by_role("link", name="Restore to fra-1")).to_be_visible()
    for chart in ("tunnel_traffic", "leg_traffic"):
        page.locator(f"[data-chart={chart}]").scroll_into_view_if_needed()
        expect(page.locator(f"[data-chart={chart}] canvas")).to_be_visible()
    expect(page.get_by_role("region", name="States, last 24 hours")).to_be_visible()
    page.locator("[data-chart=leg_traffic] summary").click()
    expect(page.locator("[data-chart=leg_traffic] [data-table] tbody tr").first).to_contain_text(
        "Mbit/s"
    )
    page.get_by_role("button", name="1 h", exact=True).click()
    expect(page.locator("[data-chart=tunnel_traffic][data-drawn='1h']")).to_be_visible()
    page.get_by_role("button", name="Config, and what is not applied yet").click()
    expect(page.locator("#bond-part")).to_contain_text("Not applied yet")
    assert visitor.faults_of_accessibility() == []

    expect(page.locator("[data-live-mark]")).to_be_visible()
    told(server, "cut", str(made["legs"][0]))
    row = page.locator("tr", has=page.locator(f"#leg-{made['legs'][0]}"))
    expect(row).to_contain_text("no answer from the other end", timeout=PATIENCE_MS)

    page.emulate_media(color_scheme="dark")
    assert visitor.faults_of_accessibility() == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(WIDE) <= 0
    assert visitor.complaints == []


def test_a_speed_test_is_cancelled_and_others_are_started(
    visitor: Visitor, fleet: tuple[LiveServer, dict[str, Any]]
) -> None:
    _, made = fleet
    page = visitor.page
    visitor.go(f"/bonds/{made['bond']}/")

    expect(page.locator("progress")).to_be_visible()
    page.get_by_role("link", name="Cancel").first.click()
    visitor.press("Cancel the test")
    expect(page.get_by_text("The test is cancelled.")).to_be_visible()
    visitor.fill(rates="5,10")
    visitor.press("Start the test")

    expect(page.get_by_text("2 tests are queued.")).to_be_visible()
    assert visitor.complaints == []


def test_a_qos_profile_is_made_through_the_page(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/qos/")
    page.get_by_role("link", name="New QoS profile").click()
    visitor.fill(name="Voice first")
    page.get_by_label("Move class 2 up").click()
    expect(page.get_by_label("Name of class 1")).to_have_value("Interactive")
    page.locator("#class-0-bandwidth").fill("90")
    expect(page.locator("[data-total]")).to_have_text("170")
    visitor.press("Make the profile")
    expect(page.get_by_text("The bandwidths add up to 170 %, more than 100.")).to_be_visible()
    assert visitor.faults_of_accessibility() == []
    page.locator("#class-0-bandwidth").fill("20")
    visitor.press("Make the profile")

    expect(page.get_by_role("heading", name="Voice first")).to_be_visible()
    assert visitor.faults_of_accessibility() == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("link", name="Classes and filters").click()
    assert page.evaluate(WIDE) <= 0
    complaints = [text for text in visitor.complaints if "400" not in text]
    assert complaints == []
