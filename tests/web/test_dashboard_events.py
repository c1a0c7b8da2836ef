"""The dashboard's stream: one look for all who see the same, sent only when something changed."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from openbond.server.spaces.services import update_user
from openbond.server.system.actors import SERVER
from openbond.server.web.dashboard.events import LivePages
from openbond.server.web.dashboard.scenes import DASHBOARD as PATH
from tests.web.signed_in import signed_in
from tests.web.test_dashboard import say
from tests.world import World


class Desk:
    """Runs work in the thread of the test, whose transaction it sees; counts its statements."""

    def __init__(self) -> None:
        self.asked = 0

    async def run(self, work: Callable[..., Any], *args: object) -> object:
        return await sync_to_async(self._counted, thread_sensitive=True)(work, *args)

    def _counted(self, work: Callable[..., Any], *args: object) -> object:
        with CaptureQueriesContext(connection) as captured:
            found: object = work(*args)
        self.asked += len(captured.captured_queries)
        return found


def cookie_of(client: Client) -> bytes:
    return f"theme=dark; sessionid={client.cookies['sessionid'].value}".encode()


@dataclass
class Browser:
    """One open page, as the server of HTTP shows it to the application."""

    cookie: bytes = b""
    method: str = "GET"
    status: int = 0
    events: list[str] = field(default_factory=list)
    is_over: bool = False
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self, events: LivePages) -> "asyncio.Task[None]":
        headers = [(b"cookie", self.cookie)] if self.cookie else []
        scope = {"type": "http", "method": self.method, "path": PATH, "headers": headers}
        return asyncio.create_task(events(scope, self.receive, self.send))

    async def receive(self) -> dict[str, object]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        text = message["body"].decode()
        if text.startswith("event:"):
            self.events.append(text)
        self.is_over = not message.get("more_body", False)

    def leave(self) -> None:
        self._gone.set()


Story = Callable[[LivePages, Desk], Coroutine[Any, Any, None]]


def played(story: Story) -> None:
    """Run a story of one server, on an event loop of its own."""

    async def whole() -> None:
        desk = Desk()
        events = LivePages(run=desk.run)
        await asyncio.wait_for(story(events, desk), timeout=60)
        await events.stop()

    async_to_sync(whole)()


async def happened(condition: Callable[[], object]) -> None:
    """Let others run until it is so; the story's own limit ends a wait in vain."""
    while not condition():
        await asyncio.sleep(0.005)


async def settled() -> None:
    """Let everything run that can, where nothing is expected to come of it."""
    for _ in range(20):
        await asyncio.sleep(0)


async def done(work: Callable[[], object]) -> None:
    await sync_to_async(work, thread_sensitive=True)()


def test_a_hundred_viewers_cost_one_look(world: World) -> None:
    cookies = [cookie_of(signed_in(world, "admin")) for _ in range(5)] * 20

    async def story(events: LivePages, desk: Desk) -> None:
        browsers = [Browser(cookie) for cookie in cookies]
        browsers[0].open(events)
        await happened(lambda: browsers[0].status)
        desk.asked = 0
        await events.look()
        for_one = desk.asked
        for browser in browsers[1:]:
            browser.open(events)
        await happened(lambda: all(browser.events for browser in browsers))

        desk.asked = 0
        await events.look()
        for_all, desk.asked = desk.asked, 0
        await events.check()

        assert for_one == for_all > 0
        assert desk.asked <= 6

    played(story)


def test_it_is_sent_only_when_something_changed(world: World) -> None:
    say(world.dhcp_leg, "up")
    cookie = cookie_of(signed_in(world, "ana"))

    async def story(events: LivePages, desk: Desk) -> None:
        browser = Browser(cookie)
        browser.open(events)
        await happened(lambda: browser.status)
        for _ in range(3):
            await events.look()
        await settled()
        before = len(browser.events)
        await done(lambda: say(world.dhcp_leg, "down"))
        for _ in range(3):
            await events.look()
        await happened(lambda: len(browser.events) > before)

        assert before == 1
        assert len(browser.events) == 2
        assert "site-1" in browser.events[1]

    played(story)


def test_each_reach_has_a_window_of_its_own(world: World) -> None:
    say(world.dhcp_leg, "down")
    cookies = {name: cookie_of(signed_in(world, name)) for name in ("ana", "gil")}

    async def story(events: LivePages, desk: Desk) -> None:
        ana, gil = Browser(cookies["ana"]), Browser(cookies["gil"])
        for browser in (ana, gil):
            browser.open(events)
        await happened(lambda: ana.status and gil.status)
        await events.look()
        await happened(lambda: ana.events and gil.events)

        assert "site-1" in ana.events[0]
        assert "site-1" not in gil.events[0]

    played(story)


@pytest.mark.parametrize(
    ("change", "is_told"),
    [
        ({"active": False}, True),
        ({"password": "another long password"}, True),
        ({"groups": []}, False),
    ],
)
def test_a_stream_ends_with_its_session_or_when_rights_change(
    change: dict[str, Any], is_told: bool, world: World
) -> None:
    cookie = cookie_of(signed_in(world, "ana"))

    async def story(events: LivePages, desk: Desk) -> None:
        browser = Browser(cookie)
        browser.open(events)
        await happened(lambda: browser.status)
        await done(lambda: update_user(by=SERVER, user=world.user("ana"), **change))

        await events.check()
        await happened(lambda: browser.is_over)

        assert browser.is_over
        assert ("event: signed-out" in "".join(browser.events)) is is_told

    played(story)


@pytest.mark.parametrize("cookie", [b"", b"sessionid=nothing", b"sessionid", b'sessionid="\\777"'])
def test_nobody_gets_nothing(cookie: bytes, world: World) -> None:
    async def story(events: LivePages, desk: Desk) -> None:
        browser = Browser(cookie)
        await browser.open(events)

        assert browser.status == 401
        assert browser.is_over

    played(story)


def test_only_reading_is_possible(world: World) -> None:
    cookie = cookie_of(signed_in(world, "ana"))

    async def story(events: LivePages, desk: Desk) -> None:
        browser = Browser(cookie, method="POST")
        await browser.open(events)

        assert browser.status == 405

    played(story)


def test_streams_end_when_the_server_stops_and_none_begins(world: World) -> None:
    cookie = cookie_of(signed_in(world, "ana"))

    async def story(events: LivePages, desk: Desk) -> None:
        before, after = Browser(cookie), Browser(cookie)
        opened = before.open(events)
        await happened(lambda: before.status)

        events.end()
        await opened
        await after.open(events)

        assert before.is_over
        assert after.status == 503

    played(story)


def test_whoever_leaves_is_looked_for_no_more(world: World) -> None:
    cookie = cookie_of(signed_in(world, "ana"))

    async def story(events: LivePages, desk: Desk) -> None:
        browser = Browser(cookie)
        opened = browser.open(events)
        await happened(lambda: browser.status)

        browser.leave()
        await opened
        desk.asked = 0
        await events.look()

        assert desk.asked == 0

    played(story)
