"""The stream of a bond's page: one look for all who watch it, and none for strangers."""

import asyncio
from dataclasses import dataclass

from openbond.server.web.dashboard.events import LivePages
from tests.web.signed_in import signed_in
from tests.web.test_dashboard import say
from tests.web.test_dashboard_events import Browser, Desk, cookie_of, done, happened, played
from tests.world import World


@dataclass
class BondBrowser(Browser):
    path: str = ""

    def open(self, events: LivePages) -> "asyncio.Task[None]":
        headers = [(b"cookie", self.cookie)]
        scope = {"type": "http", "method": "GET", "path": self.path, "headers": headers}
        return asyncio.create_task(events(scope, self.receive, self.send))


def test_a_cut_leg_is_told_to_all_who_watch_its_bond_by_one_look(world: World) -> None:
    say(world.dhcp_leg, "up")
    path = f"/events/bonds/{world.bond.pk}/"
    cookies = [cookie_of(signed_in(world, "ana")) for _ in range(5)]

    async def story(events: LivePages, desk: Desk) -> None:
        browsers = [BondBrowser(cookie, path=path) for cookie in cookies]
        browsers[0].open(events)
        await happened(lambda: browsers[0].status)
        await events.look()
        desk.asked = 0
        await events.look()
        for_one = desk.asked
        for browser in browsers[1:]:
            browser.open(events)
        await happened(lambda: all(browser.events for browser in browsers))
        await done(lambda: say(world.dhcp_leg, "down"))
        desk.asked = 0
        await events.look()
        await happened(lambda: all(len(browser.events) == 2 for browser in browsers))

        assert 0 < desk.asked == for_one <= 12
        assert "no answer from the other end" in browsers[4].events[1]

    played(story)


def test_a_bond_of_another_space_is_gone_for_whoever_asks(world: World) -> None:
    cookie = cookie_of(signed_in(world, "gil"))

    async def story(events: LivePages, desk: Desk) -> None:
        browser = BondBrowser(cookie, path=f"/events/bonds/{world.bond.pk}/")
        browser.open(events)
        await happened(lambda: browser.status)
        await events.look()
        await happened(lambda: browser.is_over)

        assert [event.split("\n")[0] for event in browser.events] == ["event: gone"]

    played(story)
