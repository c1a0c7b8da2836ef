"""What is sent through a pair, and what came of it: iperf3, and the lab's steady stream."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from openbond.lab.errors import LabError
from openbond.lab.frames import ETHERNET
from openbond.lab.netns import Namespace
from openbond.lab.stream import StreamReport
from openbond.lab.waiting import wait_until

from .pair import DEVICE, FAR_IP, SITE_IP, End, Pair

# Linux's own default. BBR keeps to the shortest round trip it saw, and so to the nearest legs.
CONGESTION = "cubic"
PORT, STREAM_PORT = 5201, 7000
RAW_PORT, RAW_PAYLOAD = 5300, 1472
SMALL_PAYLOAD, UDP_HEADERS = 36, 28  # a packet of 64 bytes with IPv4 and UDP headers
UDP_PAYLOAD = 1384  # fits any leg of 1500 with room to spare
PATIENCE = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")
LOAD = "50M"  # a TCP flow that fills no queue

T = TypeVar("T")


class _Sum(Struct, frozen=True):
    bits_per_second: float = 0.0
    bytes: int = 0


class _Interval(Struct, frozen=True):
    sum: _Sum


class _End(Struct, frozen=True):
    sum_received: _Sum = _Sum()


class Iperf(Struct, frozen=True):
    """The part of iperf3's JSON that is used."""

    intervals: list[_Interval] = []
    end: _End = _End()
    error: str = ""


@contextmanager
def iperf_server(pair: Pair) -> Iterator[None]:
    """Run an iperf3 server at the far end while the block runs."""
    name = "iperf3-server"
    pair.programs.start(name, pair.far.namespace.argv(["iperf3", "-s", "-B", FAR_IP]))
    listens = f":{PORT}"
    wait_until(
        lambda: listens in pair.far.namespace.run(["ss", "-ltn"]),
        what="iperf3 listens",
        patience=5.0,
    )
    try:
        yield
    finally:
        pair.programs.end(name)


def tcp_mbps(
    pair: Pair, *, is_down: bool, seconds: float, warm_up: float = 1.0, flows: int = 1
) -> float:
    """Return the payload of TCP flows through the bond, in Mbit/s, all flows together."""
    words = ["-t", f"{seconds:g}", "-O", f"{warm_up:g}", "-C", CONGESTION, "-P", str(flows)]
    words += ["-R"] if is_down else []
    found = _again(lambda: _iperf(pair, *words, seconds=seconds + warm_up))
    return found.end.sum_received.bits_per_second / 1e6


class SmallPackets(Struct, frozen=True):
    """What became of a flood of 64-byte packets: those that came out at the far end per second, and
    the packets that a second of processor of both daemons was enough for.
    """

    rate: float
    per_processor_second: float


def small_packets(pair: Pair, *, seconds: float) -> SmallPackets:
    """Send packets of 64 bytes as fast as may be. The far device counts what comes out: iperf3
    itself loses many for want of processor.
    """
    before, used = _came_out(pair), _processor_seconds(pair)
    words = ["-u", "-b", "0", "-l", str(SMALL_PAYLOAD), "-t", f"{seconds:g}"]
    _iperf(pair, *words, seconds=seconds)
    came_out = _came_out(pair) - before
    used = _processor_seconds(pair) - used
    return SmallPackets(came_out / seconds, came_out / max(used, 1 / _TICKS))


def udp_mbps(pair: Pair, *, is_down: bool, seconds: float, offered_mbps: float) -> float:
    """Return the payload of one UDP flow that came out of the bond, in Mbit/s; as many datagrams
    as fit a packet whole are offered at `offered_mbps`.
    """
    receiver = pair.site if is_down else pair.far
    before = _payload_out(receiver)
    words = ["-u", "-b", f"{offered_mbps}M", "-l", str(UDP_PAYLOAD), "-t", f"{seconds:g}"]
    words += ["-R"] if is_down else []
    _again(lambda: _iperf(pair, *words, seconds=seconds))
    return (_payload_out(receiver) - before) * 8 / seconds / 1e6


def _processor_seconds(pair: Pair) -> float:
    """Return the processor time of both daemons since they started (proc(5), utime and stime)."""
    ticks = 0
    for end in (pair.site, pair.far):
        stat = Path(f"/proc/{pair.status(end).pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / _TICKS


def _came_out(pair: Pair) -> float:
    """Return how many small packets the far device took."""
    return _payload_out(pair.far) / SMALL_PAYLOAD


def _payload_out(end: End) -> int:
    """Return the octets of UDP payload that a TUN device took. One write can be many packets with
    the headers of one, so their payload is counted.
    """
    path = f"/sys/class/net/{DEVICE}/statistics"
    names = (f"{path}/rx_bytes", f"{path}/rx_packets")
    octets, writes = map(int, end.namespace.run(["cat", *names]).split())
    return octets - writes * UDP_HEADERS


def raw_mbps(pair: Pair, *, is_down: bool, seconds: float) -> list[float]:
    """Return what each line carries bare, all lines at once, each offered its whole rate as full
    UDP packets: Mbit/s of IP packets as the far interface counts them.
    """
    numbers = range(1, len(pair.shapes) + 1)
    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda n: _raw(pair, n, is_down=is_down, seconds=seconds), numbers))


def _raw(pair: Pair, number: int, *, is_down: bool, seconds: float) -> float:
    name, port, far = f"raw{number}", str(RAW_PORT + number), f"10.70.{number}.2"
    pair.programs.start(name, pair.far.namespace.argv(["iperf3", "-s", "-B", far, "-p", port]))
    wait_until(
        lambda: f":{port}" in pair.far.namespace.run(["ss", "-ltn"]),
        what="iperf3 listens",
        patience=5.0,
    )
    rate = pair.shapes[number - 1].rate(is_down=is_down) or 0.0
    words = ["-p", port, "-u", "-l", str(RAW_PAYLOAD), "-b", f"{rate * RAW_PAYLOAD / 1500:.3f}M"]
    words += ["-t", f"{seconds:g}", *(["-R"] if is_down else [])]
    receiver = (pair.site if is_down else pair.far).namespace

    def measure() -> float:
        before = _octets_came(receiver, f"l{number}")
        _iperf(pair, *words, seconds=seconds, to=far)
        return (_octets_came(receiver, f"l{number}") - before) * 8 / seconds / 1e6

    try:
        return _again(measure)
    finally:
        pair.programs.end(name)


def _octets_came(namespace: Namespace, interface: str) -> int:
    """Return how many bytes of IP packets came in by an interface so far."""
    where = f"/sys/class/net/{interface}/statistics"
    octets, packets = namespace.run(["cat", f"{where}/rx_bytes", f"{where}/rx_packets"]).split()
    return int(octets) - ETHERNET * int(packets)


def _again(measure: Callable[[], T]) -> T:
    """Return what `measure` returns, at the third attempt at the latest. Raises LabError.

    An iperf3 server serves one client, and may not yet be done with the one before.
    """
    for pause in (0.5, 1.5):
        try:
            return measure()
        except LabError:
            time.sleep(pause)
    return measure()


def _iperf(pair: Pair, *words: str, seconds: float, to: str = FAR_IP) -> Iperf:
    argv = ["iperf3", "-c", to, "-J", *words]
    text = pair.site.namespace.run(argv, patience=seconds + PATIENCE)
    found = msgspec.json.decode(text, type=Iperf)
    if found.error:
        raise LabError(f"iperf3 failed: {found.error}")
    return found


class Gaps(Struct, frozen=True, kw_only=True):
    """The longest silence after a leg was cut, in seconds. `tcp_survived`: it flowed at the end."""

    udp_up: float
    udp_down: float
    tcp: float
    tcp_survived: bool


def gaps_when_cut(pair: Pair, leg: int, directory: Path) -> Gaps:
    """Cut a leg under the load of one TCP flow, while a steady UDP stream runs both ways."""
    step, seconds = 0.1, 8
    load = directory / "load.json"
    words = ["-t", str(seconds), "-i", str(step), "-J", "-C", CONGESTION, "--logfile", str(load)]
    load.unlink(missing_ok=True)
    pair.programs.start("load", pair.site.namespace.argv(["iperf3", "-c", FAR_IP, *words]))
    time.sleep(2.0)
    reports = _start_streams(pair, directory)
    time.sleep(1.0)
    pair.cut(leg)
    time.sleep(2.0)
    for name in reports:
        pair.programs.end(f"stream-{name}")
    wait_until(lambda: pair.programs.find("load") is None, what="iperf3 ended", patience=PATIENCE)
    flow = msgspec.json.decode(load.read_bytes(), type=Iperf)
    moved = [each.sum.bytes for each in flow.intervals]
    pair.mend(leg)
    return Gaps(
        udp_up=_longest_gap(reports["up"]),
        udp_down=_longest_gap(reports["down"]),
        tcp=_longest_silence(moved[round(2 / step) :]) * step,
        tcp_survived=not flow.error and any(moved[-10:]),
    )


class Rekeying(Struct, frozen=True, kw_only=True):
    """What a steady stream each way lost while keys were made anew, and how often they were."""

    sent: int
    missing: int
    handshakes: int
    load_mbps: float


def lost_while_rekeying(pair: Pair, *, seconds: float, directory: Path) -> Rekeying:
    """Run a steady UDP stream both ways under a paced TCP flow, for as long as keys come and go."""
    before = _handshakes(pair)
    reports = _start_streams(pair, directory)
    words = ["-t", f"{seconds:g}", "-b", LOAD]
    load = _iperf(pair, *words, seconds=seconds)
    for name in reports:
        pair.programs.end(f"stream-{name}")
    heard = [_heard(report) for report in reports.values()]
    return Rekeying(
        sent=sum(each.sent for each in heard),
        missing=sum(len(each.missing) for each in heard),
        handshakes=_handshakes(pair) - before,
        load_mbps=load.end.sum_received.bits_per_second / 1e6,
    )


def _handshakes(pair: Pair) -> int:
    return sum(leg.counters["handshakes"] for leg in pair.status(pair.site).legs)


def _start_streams(pair: Pair, directory: Path) -> dict[str, Path]:
    """Start the stream at both ends; return where each writes what it heard."""
    reports = {"down": directory / "heard-at-site", "up": directory / "heard-at-far"}
    ends = {"down": (pair.site, FAR_IP), "up": (pair.far, SITE_IP)}
    for name, (end, to) in ends.items():
        words = ["--from", f"{end.ip}:{STREAM_PORT}", "--to", f"{to}:{STREAM_PORT}"]
        argv = [sys.executable, "-m", "openbond.lab.stream", *words, "--report"]
        reports[name].unlink(missing_ok=True)
        pair.programs.start(f"stream-{name}", end.namespace.argv([*argv, str(reports[name])]))
    return reports


def _longest_gap(report: Path) -> float:
    return _heard(report).longest_gap


def _heard(report: Path) -> StreamReport:
    wait_until(report.exists, what="the stream's report is there", patience=20.0)
    return msgspec.json.decode(report.read_bytes(), type=StreamReport)


def _longest_silence(moved: list[int]) -> int:
    """Return the length of the longest run of intervals in which nothing moved."""
    longest = current = 0
    for octets in moved:
        current = 0 if octets else current + 1
        longest = max(longest, current)
    return longest
