"""Real servers for a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor
from tests.control.live import LiveServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, str]]:
    """A server that has no administrator yet, and the code that it printed."""
    state = tmp_path_factory.mktemp("server") / "state"
    server = LiveServer(state=state, words=["--admin-by-page"])
    server.start()
    yield server, code_printed_by(server)
    server.terminate()


@pytest.fixture
def visitor(browser: Browser, new_server: tuple[LiveServer, str]) -> Iterator[Visitor]:
    visitor = Visitor(browser, new_server[0].url)
    yield visitor
    visitor.close()


def code_printed_by(server: LiveServer) -> str:
    assert server.running
    assert server.running.stdout
    for line in server.running.stdout:
        found = re.search(r"with code ([A-Z2-7-]{19})", line)
        if found:
            return found[1]
    raise AssertionError("the server printed no code")
