"""The agent's side of the conversation with a tunnel daemon, over a real Unix socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from msgspec.structs import replace

from openbond.node import clock
from openbond.node import daemon_messages as messages
from openbond.node.agent.daemons import Daemons
from openbond.node.agent.keeper import Keeper
from openbond.node.agent.known import Known
from openbond.node.agent.legs import LegEvents
from openbond.node.agent.reporting import Reporter
from openbond.node.agent.supervision import Supervision
from openbond.node.agent.telling import Telling
from openbond.node.agent.tunnels import TunnelStates
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.facts import Facts, Machine
from openbond.node.report_queue import ReportQueue
from openbond.wire.reports import LegStateChanged, NodeState, PathMtuMeasured, Report
from openbond.wire.states import ShownState
from tests.node.fake_host import FakeHost
from tests.node.samples import bond, bonder, static_leg

T = TypeVar("T")
R = TypeVar("R")
NOW_MS = clock.wall_ms()
MACHINE = Machine("/key", "/hook", "/leases", ("tunnel",))
(FILE,) = desired_for(bonder(bond(legs=[static_leg()])), Facts(MACHINE)).files
SETTINGS = messages.decode_settings(FILE.text)


class FakeDaemon:
    """Holds what it was told, answers as the real one, and can say what happens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.told: list[messages.Request] = []
        # What happens between the look at the legs for a status and the arrival of the answer.
        self.meanwhile: messages.LegStateMoved | None = None
        self.status = messages.StatusAnswer(
            bond_id=7,
            pid=1,
            started_at_ms=0,
            inner_mtu=1400,
            legs=[
                messages.LegStatus(
                    leg_id=21, state=ShownState.UP, path_mtu=1500, path_mtu_measured=False
                )
            ],
        )
        self._listeners: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def die(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._listeners:
            writer.close()
        self._listeners.clear()

    def says(self, event: messages.DaemonEvent) -> None:
        for writer in self._listeners:
            writer.write(messages.encode_line(event))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = messages.decode_request(line)
            self.told.append(request)
            answer: messages.Answer = messages.Done()
            if isinstance(request, messages.Status):
                answer = self.status
                await self._let_it_happen()
            elif isinstance(request, messages.Subscribe):
                self._listeners.append(writer)
            writer.write(messages.encode_line(answer))
        writer.close()

    async def _let_it_happen(self) -> None:
        moved, self.meanwhile = self.meanwhile, None
        if moved is None:
            return
        self.status = replace(self.status, legs=[replace(self.status.legs[0], state=moved.new)])
        self.says(moved)
        await asyncio.sleep(0.05)


class Site:
    """The agent's parts that listen, and what they did."""

    def __init__(self, root: Path) -> None:
        self.known = Known(MACHINE)
        self.tunnels = TunnelStates()
        self.queue = ReportQueue(root / "queue")
        self.changes = 0
        self.lost: list[int] = []
        self.back: list[int] = []
        events = LegEvents(
            self.known,
            self.tunnels,
            Reporter(self.queue),
            changed=self._changed,
            leg_lost=self.lost.append,
            leg_back=self.back.append,
        )
        self.events = events
        self.daemons = Daemons(root, events.on_event, events.on_status)
        self.daemon = FakeDaemon(messages.socket_path(root, 7))

    def _changed(self) -> None:
        self.changes += 1

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def _attached(root: Path) -> AsyncIterator[Site]:
    site = Site(root)
    await site.daemon.start()
    site.daemons.attach([7])
    await site.daemons.wait_attached(within_s=5)
    try:
        yield site
    finally:
        await site.daemons.close()
        await site.daemon.die()


def attached(story: Callable[[Site], Awaitable[T]]) -> T:
    # The path of a Unix socket is short; pytest's own directories are not.
    async def run(root: Path) -> T:
        async with _attached(root) as site:
            return await story(site)

    with TemporaryDirectory() as place:
        return asyncio.run(run(Path(place)))


def reports(site: Site) -> list[Report]:
    return site.queue.batch()


def test_the_first_contact_tells_states_and_inner_mtu() -> None:
    async def story(site: Site) -> None:
        assert site.tunnels.is_up(7)
        assert site.known.inner_mtus == {7: 1400}
        assert site.known.announcements.withdrawn([7], now=1e9) == frozenset()

    attached(story)


def test_states_told_after_a_change_are_never_those_before_it(tmp_path: Path) -> None:
    up_again = messages.LegStateMoved(
        leg_id=21, old=ShownState.TESTING, new=ShownState.UP, signal="STEADY", at_ms=NOW_MS
    )

    async def story(site: Site) -> None:
        legs = [replace(site.daemon.status.legs[0], state=ShownState.TESTING)]
        site.daemon.status = replace(site.daemon.status, legs=legs)
        site.daemon.meanwhile = up_again
        telling = Telling(
            site.known, kept(site, tmp_path), site.daemons, Reporter(site.queue), tmp_path
        )
        telling.tell_now()
        task = asyncio.create_task(telling.tell_states())
        await site.until(lambda: told(site, NodeState))
        task.cancel()

        kinds = [type(report) for report in reports(site)]
        assert kinds == [LegStateChanged, NodeState]
        assert [leg.state for leg in told(site, NodeState)[0].legs] == [ShownState.UP]

    attached(story)


def kept(site: Site, root: Path) -> Keeper:
    supervision = Supervision(Paths(root))
    keeper = Keeper(
        FakeHost("eth1"), site.daemons, lambda _: Facts(MACHINE), supervision, lambda *_: None
    )
    keeper.content = bonder(bond(legs=[static_leg()]))
    return keeper


def told(site: Site, kind: type[R]) -> list[R]:
    return [report for report in reports(site) if isinstance(report, kind)]


def test_a_change_of_state_is_reported_at_once() -> None:
    moved = messages.LegStateMoved(
        leg_id=21, old=ShownState.UP, new=ShownState.DOWN, signal="SILENT", at_ms=NOW_MS
    )

    async def story(site: Site) -> None:
        site.daemon.says(moved)
        await site.until(lambda: reports(site))

        assert reports(site) == [
            LegStateChanged(
                number=1,
                at_ms=NOW_MS,
                bond_id=7,
                leg_id=21,
                old=ShownState.UP,
                new=ShownState.DOWN,
                signal="SILENT",
            )
        ]
        assert site.lost == [21]
        assert not site.tunnels.is_up(7)

    attached(story)


def test_a_leg_that_is_heard_again_wakes_the_channel() -> None:
    back = messages.LegStateMoved(
        leg_id=21, old=ShownState.DOWN, new=ShownState.TESTING, signal="ECHO", at_ms=NOW_MS
    )

    async def story(site: Site) -> None:
        site.daemon.says(back)
        await site.until(lambda: site.back)

    attached(story)


def test_a_new_inner_mtu_wakes_the_planner_once() -> None:
    async def story(site: Site) -> None:
        before = site.changes
        site.daemon.says(messages.InnerMtuMoved(mtu=1300, at_ms=1))
        site.daemon.says(messages.InnerMtuMoved(mtu=1300, at_ms=2))
        await site.until(lambda: site.known.inner_mtus == {7: 1300})
        await asyncio.sleep(0.05)

        assert site.changes == before + 1

    attached(story)


def test_a_measured_path_mtu_is_reported() -> None:
    async def story(site: Site) -> None:
        site.daemon.says(messages.PathMtuMeasured(leg_id=21, mtu=1400, at_ms=NOW_MS))
        await site.until(lambda: reports(site))

        assert reports(site) == [
            PathMtuMeasured(number=1, at_ms=NOW_MS, bond_id=7, leg_id=21, mtu=1400)
        ]

    attached(story)


def test_a_warning_stays_until_it_is_over() -> None:
    async def story(site: Site) -> None:
        site.daemon.says(messages.Warned(about="leg 21", text="no eth7", at_ms=1))
        await site.until(site.events.warning_list)
        site.daemon.says(messages.Warned(about="leg 21", text="", at_ms=2))
        await site.until(lambda: not site.events.warning_list())

    attached(story)


def test_settings_that_changed_are_told_and_equal_ones_are_not() -> None:
    async def story(site: Site) -> None:
        site.daemons.give_settings(7, SETTINGS, changed=True)
        await site.until(lambda: messages.Reload(settings=SETTINGS) in site.daemon.told)
        site.daemon.told.clear()
        site.daemons.give_settings(7, SETTINGS, changed=False)
        await asyncio.sleep(0.05)

        assert site.daemon.told == []

    attached(story)


def test_a_daemon_that_was_started_anew_gets_the_settings_with_the_first_contact() -> None:
    async def story(site: Site) -> None:
        site.daemons.give_settings(7, SETTINGS, changed=False)
        await site.daemon.die()
        site.daemon.told.clear()
        await site.daemon.start()

        await site.until(lambda: messages.Reload(settings=SETTINGS) in site.daemon.told)

    attached(story)


def test_a_daemon_that_does_not_run_is_left_out() -> None:
    async def story(site: Site) -> None:
        site.daemons.attach([7, 8])

        assert list(await site.daemons.statuses()) == [7]

    attached(story)


def test_a_bond_that_left_is_listened_to_no_more() -> None:
    async def story(site: Site) -> None:
        site.daemons.attach([])

        assert site.daemons.links == {}
        assert await site.daemons.statuses() == {}

    attached(story)


GARBAGE = b'{"type": "of another version"}\n'


def test_a_line_nobody_understands_is_passed_over() -> None:
    async def story(site: Site) -> None:
        for writer in site.daemon._listeners:
            writer.write(GARBAGE)
        site.daemon.says(messages.InnerMtuMoved(mtu=1300, at_ms=1))

        await site.until(lambda: site.known.inner_mtus == {7: 1300})

    attached(story)
