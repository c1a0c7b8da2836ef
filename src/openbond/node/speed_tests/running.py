"""One speed test at one end: takes the leg, makes the traffic, counts, gives the leg back.

The aggregator serves, the bonder is the client, so the bonder judges: what ends early at the
aggregator ends at the bonder too, which says why. Each end stops by its own clock.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TypeAlias

from openbond.node import clock
from openbond.node.daemon_messages import (
    BeginTest,
    EndTest,
    Line,
    Refused,
    Request,
    SpeedTestStatus,
    StatusAnswer,
)
from openbond.node.lines import NoAnswer
from openbond.node.linux.tcp_queues import unsent_packets
from openbond.wire.config import BondConfig
from openbond.wire.reports import Counted, Latency
from openbond.wire.speed_tests import Direction, Protocol, SpeedTestOrder, StoppedBy
from openbond.wire.states import NodeKind, ShownState

from .counting import Meter, Reading, Second
from .iperf import Iperf, Sizes, client_argv, server_argv

LOOK_EVERY_S = 0.2
# Behaviour 4.3: a hard stop at length + 15 s.
STOPS_AFTER_S = 15.0
# How long the other end may take to come; the aggregator may be told later than the bonder.
BEGINS_WITHIN_S = 10.0
TRY_AGAIN_S = 0.5
# What iperf3 still has to say when the traffic is over.
ENDS_WITHIN_S = 8.0
AGGREGATOR_SHARE = 1.05
NOBODY_YET = ("unable to connect to server", "Connection refused")
DOWN = frozenset({ShownState.DOWN, ShownState.HANDSHAKING, ShownState.OFFLINE})


class TestFailed(Exception):
    """The text is why, for whoever reads the record."""


NOTHING = Counted()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one end found; see wire.reports.SpeedTestEnded."""

    error: str = ""
    stopped_by: StoppedBy = StoppedBy.LENGTH
    counted: Counted = NOTHING
    whole: Counted = NOTHING
    latency: Latency | None = None
    idle: Latency | None = None


Ask: TypeAlias = Callable[[Request], Awaitable[Line]]


class Running:
    """`ask` is the bond's tunnel daemon, `tell` takes each second of the traffic."""

    def __init__(
        self,
        order: SpeedTestOrder,
        *,
        bond: BondConfig,
        kind: NodeKind,
        ask: Ask,
        status: Callable[[], Awaitable[StatusAnswer]],
        tell: Callable[[Second], None],
    ) -> None:
        lower, upper = (str(address) for address in ip_network(bond.tunnel_subnet))
        self._order = order
        self._is_bonder = kind is NodeKind.BONDER
        self._near, self._far = (lower, upper) if self._is_bonder else (upper, lower)
        self._sends = self._is_bonder is (order.direction is Direction.UPLOAD)
        self._ask = ask
        self._status = status
        self._tell = tell
        self._meter = Meter(length_seconds=order.length_seconds)
        self._idle: Latency | None = None
        self._iperf: Iperf | None = None
        self._has_ended_well = False

    @property
    def seconds_most(self) -> float:
        """After how many seconds this end stops, whatever the others do."""
        return self._order.idle_seconds + self._order.length_seconds + STOPS_AFTER_S

    @property
    def _most_octets(self) -> float:
        # The bonder stops first, as it judges; the other end by itself should the bonder be gone.
        return self._order.most_bytes * (1.0 if self._is_bonder else AGGREGATOR_SHARE)

    async def run(self) -> Outcome:
        """Run the test; the leg is given back and iperf3 is gone when it returns or is cancelled.

        Never raises what went wrong: it is in the outcome.
        """
        try:
            async with asyncio.timeout(self.seconds_most):
                return await self._run()
        except TestFailed as failure:
            return Outcome(error=str(failure))
        except TimeoutError:
            return Outcome(error="The test did not end in time, and was stopped.")
        except NoAnswer as silence:
            return Outcome(error=f"The tunnel daemon does not answer: {silence}.")
        except OSError as refused:
            return Outcome(error=f"iperf3 cannot be started: {refused}.")
        finally:
            await self._give_back()

    async def _run(self) -> Outcome:
        status = await self._take()
        if not self._is_bonder:
            self._iperf = await Iperf.start(server_argv(self._order, address=self._near))
        await self._probe_idle_line()
        await self._wait_for_traffic(_sizes(status))
        stopped_by = await self._count()
        await self._end_traffic(stopped_by)
        self._has_ended_well = True
        counted, latency = self._meter.mean()
        return Outcome(
            stopped_by=stopped_by,
            counted=counted,
            whole=self._meter.whole(),
            latency=latency,
            idle=self._idle,
        )

    # -- the leg ----------------------------------------------------------------------------------

    async def _take(self) -> StatusAnswer:
        answer = await self._ask(
            BeginTest(
                test_id=self._order.test_id,
                leg_id=self._order.leg_id,
                limit_kbps=self._order.rate_limit_kbps if self._order.leg_id is not None else None,
                within_ms=round(self.seconds_most * 1000),
                trial=self._order.trial,
            )
        )
        if isinstance(answer, Refused):
            raise TestFailed(answer.why)
        status = await self._status()
        await self._look()
        return status

    async def _give_back(self) -> None:
        """Whatever happens; the daemon would do it by its own clock, but later."""
        if self._iperf is not None:
            await self._iperf.kill()
        with contextlib.suppress(NoAnswer):
            await self._ask(self._keep() if self._has_ended_well else EndTest())

    def _keep(self) -> BeginTest | EndTest:
        """Return how the leg is left: the next test of a tuning would only take it out again."""
        order = self._order
        if not order.keeps_leg_ms:
            return EndTest()
        return BeginTest(
            test_id=order.test_id,
            leg_id=order.leg_id,
            limit_kbps=None,
            within_ms=order.keeps_leg_ms,
        )

    # -- the traffic ------------------------------------------------------------------------------

    async def _probe_idle_line(self) -> None:
        if not self._order.idle_seconds:
            return
        over = clock.monotonic() + self._order.idle_seconds
        while clock.monotonic() < over:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()
        self._idle = self._meter.idle()

    async def _wait_for_traffic(self, sizes: Sizes) -> None:
        """Return when the streams of iperf3 are connected; the bonder tries until they are."""
        until = clock.monotonic() + BEGINS_WITHIN_S
        while True:
            if self._iperf is None:
                argv = client_argv(self._order, address=self._near, server=self._far, sizes=sizes)
                self._iperf = await Iperf.start(argv)
            await clock.wait_at_most(LOOK_EVERY_S, self._iperf.begun)
            await self._look()
            if self._iperf.begun.is_set():
                self._meter.begin()
                return
            late = clock.monotonic() >= until
            if self._iperf.has_ended:
                await self._take_early_end(self._iperf, late=late)
            elif late:
                raise TestFailed("No traffic came through within 10 s.")

    async def _take_early_end(self, iperf: Iperf, *, late: bool) -> None:
        is_early = any(words in iperf.trouble for words in NOBODY_YET)
        if late or not is_early or not self._is_bonder:
            raise TestFailed(_sentence(iperf.trouble or "iperf3 ended before it began"))
        self._iperf = None
        await asyncio.sleep(TRY_AGAIN_S)

    async def _count(self) -> StoppedBy:
        """Look until the length has passed, the bytes are used up, or the traffic ended."""
        while not self._meter.is_over:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()
            if self._meter.octets >= self._most_octets:
                return StoppedBy.BYTES
            if self._iperf is not None and self._iperf.has_ended:
                break
        return StoppedBy.LENGTH

    async def _end_traffic(self, stopped_by: StoppedBy) -> None:
        """Let iperf3 end; at the bonder it must end well, unless we stop it."""
        iperf = self._iperf
        if iperf is None:
            return
        if stopped_by is StoppedBy.BYTES:
            await iperf.kill()
        elif not await iperf.wait(ENDS_WITHIN_S):
            raise TestFailed("iperf3 did not end, and was stopped.")
        elif self._is_bonder and iperf.trouble:
            raise TestFailed(_sentence(iperf.trouble))
        await self._look()

    # -- looking ----------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Ask what was counted. Raises TestFailed when the test cannot go on."""
        answer = await self._status()
        counted = self._checked(answer)
        second = self._meter.add(Reading(counted, self._unsent()))
        if second is not None:
            self._tell(second)

    def _checked(self, answer: StatusAnswer) -> SpeedTestStatus:
        leg_id = self._order.leg_id
        states = {leg.leg_id: leg.state for leg in answer.legs}
        if leg_id is not None and states.get(leg_id, ShownState.DOWN) in DOWN:
            raise TestFailed(f"Leg {leg_id} went down.")
        if leg_id is None and all(state in DOWN for state in states.values()):
            raise TestFailed("All legs of the bond went down.")
        counted = answer.speed_test
        if counted is None or counted.test_id != self._order.test_id:
            raise TestFailed("The tunnel was restarted or changed during the test.")
        return counted

    def _unsent(self) -> float:
        if not self._sends or self._order.protocol is not Protocol.TCP:
            return 0.0
        try:
            return unsent_packets(self._near, self._order.port)
        except OSError:
            return 0.0  # a kernel without sock_diag: the tunnel's own queue is all we know


def _sizes(status: StatusAnswer) -> Sizes:
    # The inner MTU is that of the smallest path MTU (behaviour 2.12): the rest is overhead.
    outer = min((leg.path_mtu for leg in status.legs if leg.state not in DOWN), default=1500)
    return Sizes(inner=status.inner_mtu, outer=max(outer, status.inner_mtu))


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."
