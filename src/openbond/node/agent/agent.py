"""The agent's program: joins the parts and runs their loops; it never gives up (behaviour 1.5)."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from openbond.node import clock, daemon_messages, store
from openbond.node.channel import trust
from openbond.node.channel.addresses import ServerAddresses
from openbond.node.channel.budget import MobileBudget
from openbond.node.channel.client import Channel, Transport
from openbond.node.channel.enrol import enrol
from openbond.node.channel.numbers import RisingNumbers
from openbond.node.configs import ConfigStore
from openbond.node.errors import NodeError
from openbond.node.identity import Identity, renewal_is_due
from openbond.node.linux.dhcp import read_leases
from openbond.node.linux.health import read_health
from openbond.node.linux.host import LinuxHost
from openbond.node.linux.lines import read_lines, read_signals
from openbond.node.linux.monitor import KernelMonitor
from openbond.node.paths import Paths
from openbond.node.plan.facts import Facts
from openbond.node.plan.trunks import tunnel_ids
from openbond.node.plan.values import Desired
from openbond.node.report_queue import ReportQueue
from openbond.node.settings import NodeSettings
from openbond.node.verify import Verifier
from openbond.wire.config import NodeContent

from .acting import Actor
from .checks import CheckDoor
from .daemons import Daemons
from .door import Door, Fetch, Ping, Question, StatusAnswer
from .duplicates import Duplicates
from .keeper import Applied, Keeper
from .known import Known
from .legs import LegEvents
from .lifecycle import Lifecycle
from .machine import machine_of
from .management import Management
from .measuring import Measuring, Sources
from .noting import Noting
from .polling import Poller
from .readiness import obstacles
from .reporting import Reporter
from .speed_tests import SpeedTests
from .supervision import Supervision
from .telling import Telling
from .tunnels import TunnelStates
from .watching import Watch

log = structlog.get_logger()

ATTACH_WITHIN_S = 2.0
LOOK_EVERY_S = 0.5
# Routes, rules and filter rules that others remove make no noise that we listen to.
LOOK_AT_ALL_EVERY_S = 60.0
RENEWAL_EVERY_S = 3600.0
RESTART_LOOP_S = 1.0


class Agent:
    """One enrolled node's agent."""

    def __init__(self, paths: Paths, settings: NodeSettings, identity: Identity) -> None:
        self._paths = paths
        self._settings = settings
        self._known = Known(machine_of(paths, settings))
        self._tunnels = TunnelStates()
        self._obstacles: dict[tuple[int, int], str] = {}
        self._reporter = Reporter(ReportQueue(paths.reports))
        self._management = Management(paths)
        self._noting = Noting(paths, self._reporter)
        self._duplicates = Duplicates(
            lambda: self._keeper.content, lambda: self._keeper.observed, self._noting.note
        )
        self._supervision = Supervision(paths)
        self._legs = LegEvents(
            self._known,
            self._tunnels,
            self._reporter,
            changed=self._wake,
            leg_lost=self._on_leg_lost,
            leg_back=self._on_leg_back,
        )
        self._daemons = Daemons(paths.root, self._legs.on_event, self._on_first_contact)
        self._host = LinuxHost(paths)
        self._keeper = Keeper(
            self._host, self._daemons, self._facts, self._supervision, self._on_kept
        )
        self._actor = Actor(paths, self._keeper, self._daemons)
        self._telling = Telling(
            self._known, self._keeper, self._daemons, self._reporter, paths.modems
        )
        self._budget = MobileBudget(paths.mobile_budget, most_mb=settings.mobile_budget_mb)
        self._measuring = Measuring(self._sources(), self._reporter)
        self._lifecycle = Lifecycle(
            ConfigStore(paths),
            Verifier(identity.node_id, identity.authorities),
            self._keeper,
            self._reporter,
            self._tunnels,
            self._on_applied,
        )
        self._speed_tests = SpeedTests(self._keeper, self._daemons, self._reporter)
        self._poller = Poller(paths, self._lifecycle, self._enrol_again, self._speed_tests)
        self._channel = self._open_channel(identity)
        self._watch = Watch(self._supervision, self._daemons, self._reporter)
        self._checks = CheckDoor(
            paths, lambda: self._channel.identity.node_id, lambda: self._keeper.content,
            self._daemons,
        )  # fmt: skip

    def _sources(self) -> Sources:
        return Sources(
            content=lambda: self._keeper.content,
            statuses=self._daemons.statuses,
            state_changes=lambda: self._legs.state_changes,
            health=lambda: read_health(self._paths.state),
            signals=lambda: read_signals(self._paths.modems),
            is_thrifty=self._is_thrifty,
        )

    def _is_thrifty(self) -> bool:
        is_spent = self._budget.is_spent(now_ms=clock.wall_ms())
        return is_spent and self._channel.transport.is_on_mobile

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. The kernel is left as it is: the tunnels go on."""
        self._read_lines()
        door = await Door(self._paths.agent_socket, self._answer).open()
        monitor = KernelMonitor(self._wake)
        monitor.start()
        # Before anything is planned: an agent that restarts must not take fright at its own facts.
        await self._look_around()
        await self._lifecycle.boot(self._attach)
        loops = [
            asyncio.create_task(_for_ever(name, loop))
            for name, loop in {
                "keep": self._keeper.keep,
                "lifecycle": self._lifecycle.run,
                "poll": lambda: self._poller.run(self._channel),
                "report": lambda: self._reporter.run(self._channel),
                "watch": self._watch.run,
                "look": self._look,
                "notes": self._noting.run,
                "duplicates": self._duplicates.run,
                "states": self._telling.tell_states,
                "measure": self._measuring.run,
                "renew": self._renew,
                "checks": self._checks.run,
            }.items()
        ]
        self._telling.tell_now()
        await _asked_to_end()
        door.close()
        monitor.close()
        await _cancelled(loops)
        await self._speed_tests.close()
        await self._daemons.close()
        await self._channel.transport.close()

    # ------------------------------------------------------------------------------ what changed

    def _wake(self) -> None:
        self._keeper.again.set()

    def _on_first_contact(self, bond_id: int, status: daemon_messages.StatusAnswer) -> None:
        """Take a daemon's whole word, and pass it on: what it told before, nobody heard."""
        self._legs.on_status(bond_id, status)
        self._telling.tell_now()

    def _on_leg_lost(self, leg_id: int) -> None:
        self._channel.transport.way_lost(leg_id)

    def _on_leg_back(self, leg_id: int) -> None:
        # Perhaps the only leg by which the server can be reached: do not wait out a long pause,
        # nor on a leg that was already dead when the request began.
        self._channel.transport.way_back(leg_id)
        self._poller.retry.nudge()
        self._reporter.retry.nudge()

    def _on_applied(self, content: NodeContent) -> None:
        self._actor.on_applied(content)
        self._management.on_applied(content)
        self._telling.tell_now()

    def _on_kept(self, content: NodeContent, applied: Applied) -> None:
        """Tell the daemons which legs lost, or got back, what they need."""
        if self._known.look_at(self._keeper.observed):
            self._wake()
        if applied.steps:
            self._telling.tell_now()
        self._channel.transport.ways_changed()
        found = {}
        for bond_id, leg_id, why in obstacles(content, self._facts(content), self._keeper.observed):
            found[bond_id, leg_id] = why
            before = self._obstacles.get((bond_id, leg_id), "")
            if why and not before:
                self._daemons.tell(bond_id, daemon_messages.LegDown(leg_id=leg_id, why=why))
                self._on_leg_lost(leg_id)
            elif before and not why:
                self._daemons.tell(bond_id, daemon_messages.LegReady(leg_id=leg_id))
                self._on_leg_back(leg_id)
        self._obstacles = found

    async def _look(self) -> None:
        """Look for new leases, for networks due to be withdrawn, and at times for everything."""
        looked = clock.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if clock.monotonic() - looked >= LOOK_AT_ALL_EVERY_S:
                looked = clock.monotonic()
                self._wake()
            due = self._known.announcements.next_change()
            if self._read_lines() or self._hooks_wait():
                self._wake()
            elif due is not None and clock.monotonic() >= due:
                self._known.announcements.settle(now=clock.monotonic())
                self._wake()

    def _read_lines(self) -> bool:
        """Take in what the clients of the legs have; report whether it changed."""
        known, now = self._known, clock.wall_ms() / 1000
        before = known.leases, known.lines
        known.leases = read_leases(self._paths.leases, now=now)
        known.lines = read_lines(self._paths.lines)
        return before != (known.leases, known.lines)

    def _hooks_wait(self) -> bool:
        """Report whether the hook runner came since it was looked for in vain."""
        return self._keeper.observed.hooks is None and self._paths.hook_socket.exists()

    def _facts(self, content: NodeContent) -> Facts:
        before, leases = self._keeper.content, self._known.leases
        self._known.management_leg = self._management.leg(content, before, leases)
        return self._known.facts(content, now=clock.monotonic())

    async def _look_around(self) -> None:
        try:
            self._known.look_at(await asyncio.to_thread(self._host.observe, Desired()))
        except NodeError as error:
            log.error("the machine cannot be observed", why=str(error))

    async def _attach(self, content: NodeContent) -> None:
        """Find the daemons that run, so that the first look changes nothing they rely on."""
        self._daemons.attach(tunnel_ids(content))
        for bond in content.bonds:
            if daemon_messages.socket_path(self._paths.root, bond.id).exists():
                self._known.announcements.adopt(bond.id, now=clock.monotonic())
        await self._daemons.wait_attached(within_s=ATTACH_WITHIN_S)

    # ----------------------------------------------------------------------------------- channel

    def _open_channel(self, identity: Identity) -> Channel:
        transport = Transport(
            self._settings.server,
            trust.checked(self._authority()),
            ways=lambda: self._known.ways(self._keeper.content),
            addresses=ServerAddresses(self._paths.addresses),
            silent=self._tunnels.silent_legs,
            moved_on_mobile=lambda octets: self._budget.spend(octets, now_ms=clock.wall_ms()),
        )
        return Channel(transport, identity, RisingNumbers(self._paths.numbers))

    def _authority(self) -> str | None:
        known = store.read(self._paths.ca)
        return known.decode() if known else None

    async def _enrol_again(self) -> None:
        """Get a new certificate for the same keys (behaviour 1.4). Raises NodeError."""
        ways = self._known.ways(self._keeper.content)
        self._channel.identity = await enrol(
            self._paths,
            self._settings.server,
            self._settings.node_key,
            ca_pem=self._authority(),
            ways=ways,
        )
        log.info("enrolled again", node=self._channel.identity.node_id)

    async def _renew(self) -> None:
        while True:
            now = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC)
            if renewal_is_due(self._channel.identity.certificate, now):
                await self._enrol_again()
            await asyncio.sleep(RENEWAL_EVERY_S)

    # -------------------------------------------------------------------------------------- door

    async def _answer(self, question: Question) -> StatusAnswer:
        if isinstance(question, Ping):
            return StatusAnswer(silent=await self._watch.silent())
        if isinstance(question, Fetch):
            self._poller.fetch()
        return await self._status()

    async def _status(self) -> StatusAnswer:
        lifecycle, content = self._lifecycle, self._keeper.content
        good, trying = lifecycle.last_good, lifecycle.trying
        return StatusAnswer(
            node_id=self._channel.identity.node_id,
            name=content.name if content else "",
            server=str(self._settings.server),
            revision=good.envelope.revision if good else 0,
            trying=trying.envelope.revision if trying else 0,
            last_contact_ms=self._poller.last_exchange_ms,
            last_error=lifecycle.last_error,
            reports_waiting=self._reporter.waiting,
            legs=await self._telling.legs(),
            warnings=[
                *self._keeper.last.warnings,
                *self._legs.warning_list(),
                *self._duplicates.warning_list(),
            ],
            failures=list(self._keeper.last.failures),
        )


async def _for_ever(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop; a defect in it is logged and the loop begins again: the agent never exits."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("a loop of the agent failed and begins again", loop=name)
            await asyncio.sleep(RESTART_LOOP_S)


async def _asked_to_end() -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
