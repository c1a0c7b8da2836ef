"""Speed tests at a node: what is counted, and real iperf3 between two ends on the loopback."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from openbond.node.daemon_messages import (
    BeginTest,
    Done,
    EndTest,
    LegStatus,
    Line,
    Refused,
    Request,
    SpeedTestStatus,
    StatusAnswer,
)
from openbond.node.linux.tcp_queues import unsent_packets
from openbond.node.speed_tests import running
from openbond.node.speed_tests.counting import Meter, Reading, Second
from openbond.node.speed_tests.iperf import Sizes, client_argv
from openbond.node.speed_tests.running import Outcome, Running
from openbond.wire.reports import Counted, Latency
from openbond.wire.speed_tests import Direction, Protocol, SpeedTestOrder, StoppedBy
from openbond.wire.states import NodeKind, ShownState

from .samples import bond, static_leg

T = TypeVar("T")
LEG = 21
needs_iperf = pytest.mark.skipif(shutil.which("iperf3") is None, reason="iperf3 is not installed")


# ------------------------------------------------------------------------------ what is counted


def status_at(seconds: float, **counted: int) -> SpeedTestStatus:
    nothing: dict[str, int] = dict.fromkeys(SpeedTestStatus.__struct_fields__, 0)
    return SpeedTestStatus(**{**nothing, "test_id": 5, "at_us": round(seconds * 1e6), **counted})


def steady(meter: Meter, *, until: float, mbps: float = 20.0) -> list[Second]:
    """Feed a meter with a steady stream from its beginning, read five times a second."""
    found = []
    for step in range(1, round(until * 5) + 1):
        octets = round(step / 5 * mbps * 1e6 / 8)
        counted = {"received_octets": octets, "received_datagrams": octets // 1250}
        second = meter.add(Reading(status_at(100 + step / 5, **counted)))
        if second is not None:
            found.append(second)
    return found


def begun(length_seconds: int) -> Meter:
    meter = Meter(length_seconds=length_seconds)
    meter.add(Reading(status_at(100)))
    meter.begin()
    return meter


def test_each_second_is_told_once_with_its_own_count() -> None:
    meter = begun(3)

    seconds = steady(meter, until=3.4)

    assert [second.number for second in seconds] == [1, 2, 3]
    assert [second.counted.received_bytes for second in seconds] == [2_500_000] * 3
    assert meter.is_over


def test_the_first_second_is_left_out_of_the_mean() -> None:
    meter = begun(3)
    for at, octets in ((1.0, 9_000_000), (2.0, 11_500_000), (3.0, 14_000_000), (3.2, 14_000_000)):
        meter.add(Reading(status_at(100 + at, received_octets=octets)))

    counted, _ = meter.mean()

    assert (counted.span_ms, counted.received_bytes) == (2000, 5_000_000)


def test_of_one_second_nothing_is_left_out() -> None:
    meter = begun(1)
    steady(meter, until=1.2)

    assert meter.mean()[0].received_bytes == 2_500_000


def test_a_test_stopped_within_its_first_second_still_has_a_mean() -> None:
    meter = begun(10)
    steady(meter, until=0.6)

    assert meter.mean()[0].received_bytes == 1_500_000


def test_latency_is_the_mean_and_the_deviation_of_the_probes_in_between() -> None:
    meter = begun(2)
    probes = [(1.0, 10, 200_000, 4_000_000_000), (2.0, 14, 320_000, 7_608_000_000)]
    for at, count, total, squares in probes:
        counted = {"rtt_count": count, "rtt_sum_us": total, "rtt_square_sum": squares}
        meter.add(Reading(status_at(100 + at, **counted)))

    _, latency = meter.mean()

    # Four probes: 29, 29, 31 and 31 ms, say.
    assert latency is not None
    assert (latency.mean_us, latency.samples) == (30_000, 4)
    assert latency.deviation_us == pytest.approx(1414, abs=1)


def test_the_queue_is_the_tunnel_s_and_our_own_stack_s() -> None:
    meter = begun(2)
    meter.add(Reading(status_at(101, queue_us=1_000_000), unsent=9))
    meter.add(Reading(status_at(102, queue_us=3_000_000), unsent=3))

    assert meter.mean()[0].queue_milli == 5_000


def test_before_the_traffic_everything_is_idle_latency() -> None:
    meter = Meter(length_seconds=2)
    meter.add(Reading(status_at(95)))
    counted = {"rtt_count": 50, "rtt_sum_us": 1_000_000, "rtt_square_sum": 20_000_000_000}
    meter.add(Reading(status_at(100, **counted)))

    assert meter.idle() == Latency(mean_us=20_000, deviation_us=0, samples=50)
    assert meter.mean() == (Counted(), None)


# -------------------------------------------------------------------------------- iperf3's words


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def order(**more: Any) -> SpeedTestOrder:
    given: dict[str, Any] = {
        "test_id": 5,
        "bond_id": 7,
        "leg_id": LEG,
        "protocol": Protocol.TCP,
        "direction": Direction.DOWNLOAD,
        "length_seconds": 2,
        "rate_limit_kbps": 8_000,
        "concurrency": 1,
        "most_bytes": 2_000_000_000,
        "port": free_port(),
        "begin": True,
    }
    return SpeedTestOrder(**{**given, **more})


def rate_of(given: SpeedTestOrder) -> float:
    """Return the outer bit/s that all streams together may send."""
    sizes = Sizes(inner=1400, outer=1460)
    words = client_argv(given, address="a", server="b", sizes=sizes)
    payload = 1400 - (28 if given.protocol is Protocol.UDP else 52)
    return int(words[words.index("-b") + 1]) * given.concurrency * 1460 / payload


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_limit_counts_outer_packets(protocol: Protocol, concurrency: int) -> None:
    given = order(protocol=protocol, concurrency=concurrency, rate_limit_kbps=20_000)

    assert 0.985 * 20e6 <= rate_of(given) <= 20e6


def test_no_limit_is_none() -> None:
    assert rate_of(order(rate_limit_kbps=None)) == 0


# ----------------------------------------------------------------------- two ends on the loopback


def loopback() -> tuple[int, int]:
    """Return octets and packets that the loopback has carried."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counted = line.partition(":")
        if name.strip() == "lo":
            return int(counted.split()[0]), int(counted.split()[1])
    raise AssertionError("no loopback")


@dataclass
class Tunnel:
    """A tunnel daemon that counts what the loopback carries, and holds which test runs."""

    test_id: int | None = None
    state: ShownState = ShownState.TESTING
    refusal: str = ""
    base: tuple[int, int] = (0, 0)
    requests: list[Request] = field(default_factory=list)

    async def ask(self, request: Request) -> Line:
        self.requests.append(request)
        if isinstance(request, BeginTest):
            if self.refusal:
                return Refused(why=self.refusal)
            self.test_id = request.test_id
            self.base = loopback()
        if isinstance(request, EndTest):
            self.test_id = None
        return Done()

    async def status(self) -> StatusAnswer:
        leg = LegStatus(
            leg_id=LEG, state=self.state, path_mtu=1500, path_mtu_measured=True, counters={}
        )
        return StatusAnswer(
            bond_id=7,
            pid=1,
            started_at_ms=0,
            inner_mtu=1440,
            legs=[leg],
            speed_test=self._counted(),
        )

    def _counted(self) -> SpeedTestStatus | None:
        if self.test_id is None:
            return None
        octets, packets = (now - then for now, then in zip(loopback(), self.base, strict=True))
        return msgspec.structs.replace(
            status_at(asyncio.get_running_loop().time()),
            test_id=self.test_id,
            sent_octets=octets,
            sent_datagrams=packets,
            received_octets=octets,
            received_datagrams=packets,
        )


@dataclass
class Ends:
    """Both ends of a bond, whose tunnel addresses are on the loopback."""

    order: SpeedTestOrder
    tunnels: dict[NodeKind, Tunnel] = field(
        default_factory=lambda: {kind: Tunnel() for kind in NodeKind}
    )
    seconds: dict[NodeKind, list[Second]] = field(
        default_factory=lambda: {kind: [] for kind in NodeKind}
    )

    def end(self, kind: NodeKind) -> Coroutine[None, None, Outcome]:
        here = bond(7, legs=[static_leg(LEG)], tunnel_subnet="127.0.0.2/31")
        tunnel = self.tunnels[kind]
        tell = self.seconds[kind].append
        return Running(
            self.order, bond=here, kind=kind, ask=tunnel.ask, status=tunnel.status, tell=tell
        ).run()

    async def both(self) -> tuple[Outcome, Outcome]:
        """Return what the bonder found, and what the aggregator found."""
        return await asyncio.gather(self.end(NodeKind.BONDER), self.end(NodeKind.AGGREGATOR))

    def are_free(self) -> bool:
        """Report whether both legs were given back and no iperf3 is left."""
        ended = all(isinstance(one.requests[-1], EndTest) for one in self.tunnels.values())
        return ended and not processes_of(self.order)


def processes_of(given: SpeedTestOrder) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"iperf3" in words[:1] and str(given.port).encode() in words:
            found.append(int(path.parent.name))
    return found


def go(story: Callable[[], Awaitable[T]]) -> T:
    async def life() -> T:
        return await story()

    return asyncio.run(life())


@needs_iperf
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("protocol", Protocol)
def test_both_ends_count_a_test_second_by_second(direction: Direction, protocol: Protocol) -> None:
    ends = Ends(order(direction=direction, protocol=protocol, length_seconds=2))

    bonder, aggregator = go(ends.both)

    assert (bonder.error, aggregator.error) == ("", "")
    # On the loopback there is no tunnel around the packets, so it is a little less than 8 Mbit/s.
    assert bonder.counted.received_bytes * 8 / bonder.counted.span_ms > 6_000
    assert [second.number for second in ends.seconds[NodeKind.BONDER]][:2] == [1, 2]
    assert bonder.stopped_by is StoppedBy.LENGTH
    assert ends.are_free()


@needs_iperf
def test_what_is_first_idle_is_probed_before_the_traffic() -> None:
    ends = Ends(order(length_seconds=1, idle_seconds=1))

    bonder, aggregator = go(ends.both)

    assert (bonder.error, aggregator.error) == ("", "")
    begin = ends.tunnels[NodeKind.BONDER].requests[0]
    assert isinstance(begin, BeginTest)
    assert begin.within_ms == 17_000


@needs_iperf
def test_a_test_that_moved_its_bytes_ends_well_before_its_time() -> None:
    ends = Ends(order(length_seconds=60, most_bytes=1_000_000))
    bonder, aggregator = go(ends.both)

    assert (bonder.error, aggregator.error) == ("", "")
    assert bonder.stopped_by is StoppedBy.BYTES
    assert ends.are_free()


@needs_iperf
def test_the_aggregator_stops_at_the_byte_cap_by_itself() -> None:
    async def story() -> tuple[Outcome, Outcome]:
        bonder = asyncio.ensure_future(ends.end(NodeKind.BONDER))
        ends.order = msgspec.structs.replace(ends.order, most_bytes=1_000_000)
        return await asyncio.gather(bonder, ends.end(NodeKind.AGGREGATOR))

    ends = Ends(order(length_seconds=60, most_bytes=10**15))
    _, aggregator = go(story)

    assert (aggregator.error, aggregator.stopped_by) == ("", StoppedBy.BYTES)
    assert ends.are_free()


@needs_iperf
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_iperf3_killed_at_one_end_fails_the_test_in_words(number: int) -> None:
    async def story() -> tuple[Outcome, Outcome]:
        task = asyncio.ensure_future(ends.both())
        while not ends.seconds[NodeKind.BONDER]:
            await asyncio.sleep(0.05)
        os.kill(min(processes_of(ends.order)), number)
        return await task

    ends = Ends(order(length_seconds=30))
    bonder, aggregator = go(story)

    assert "iperf3" in bonder.error + aggregator.error
    assert ends.are_free()


@needs_iperf
def test_iperf3_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ENDS_WITHIN_S", 0.5)

    async def story() -> tuple[Outcome, Outcome]:
        task = asyncio.ensure_future(ends.both())
        while not ends.seconds[NodeKind.BONDER]:
            await asyncio.sleep(0.05)
        for process in processes_of(ends.order):
            os.kill(process, signal.SIGSTOP)
        return await task

    ends = Ends(order(length_seconds=2))
    bonder, _ = go(story)

    assert bonder.error == "iperf3 did not end, and was stopped."
    assert ends.are_free()


@needs_iperf
def test_without_the_other_end_a_test_fails_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BEGINS_WITHIN_S", 1.0)
    ends = Ends(order())

    alone = go(lambda: ends.end(NodeKind.BONDER))
    waits = go(lambda: ends.end(NodeKind.AGGREGATOR))

    assert alone.error.startswith("iperf3: unable to connect to server")
    assert waits.error == "No traffic came through within 10 s."
    assert ends.are_free()


@needs_iperf
def test_a_leg_that_goes_down_fails_the_test() -> None:
    async def story() -> tuple[Outcome, Outcome]:
        task = asyncio.ensure_future(ends.both())
        while not ends.seconds[NodeKind.BONDER]:
            await asyncio.sleep(0.05)
        ends.tunnels[NodeKind.BONDER].state = ShownState.DOWN
        return await task

    ends = Ends(order(length_seconds=30))
    bonder, _ = go(story)

    assert bonder.error == "Leg 21 went down."
    assert ends.are_free()


@needs_iperf
def test_a_tunnel_daemon_that_was_restarted_fails_the_test() -> None:
    async def story() -> tuple[Outcome, Outcome]:
        task = asyncio.ensure_future(ends.both())
        while not ends.seconds[NodeKind.BONDER]:
            await asyncio.sleep(0.05)
        ends.tunnels[NodeKind.BONDER].test_id = None
        return await task

    ends = Ends(order(length_seconds=30))
    bonder, _ = go(story)

    assert bonder.error == "The tunnel was restarted or changed during the test."
    assert ends.are_free()


def test_what_the_tunnel_refuses_is_said() -> None:
    ends = Ends(order())
    ends.tunnels[NodeKind.BONDER].refusal = "Leg 21 is not in the settings."

    assert go(lambda: ends.end(NodeKind.BONDER)).error == "Leg 21 is not in the settings."


@needs_iperf
def test_a_test_called_off_leaves_nothing_behind() -> None:
    async def story() -> None:
        task = asyncio.ensure_future(ends.both())
        while not ends.seconds[NodeKind.BONDER]:
            await asyncio.sleep(0.05)
        assert len(processes_of(ends.order)) == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while not ends.are_free():
            await asyncio.sleep(0.05)

    ends = Ends(order(length_seconds=30))
    go(story)


def test_what_tcp_has_not_sent_is_known_by_address_and_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        with socket.create_connection(place, source_address=("127.0.0.9", 0)) as sending:
            taken, _ = server.accept()
            sending.setblocking(False)
            sent = sending.send(bytes(20_000_000))
            assert sent < 20_000_000

            assert unsent_packets("127.0.0.9", place[1]) > 1
            assert unsent_packets("127.0.0.1", place[1]) == 0
            assert unsent_packets("127.0.0.9", place[1] ^ 1) == 0
            taken.close()
