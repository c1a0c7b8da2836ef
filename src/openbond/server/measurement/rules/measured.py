"""What the reports of the two ends of a speed test amount to (api-v3 05-performance 1.1)."""

from dataclasses import dataclass
from typing import Any

from openbond.wire.reports import Counted, Latency, SpeedTestEnded, SpeedTestProgress
from openbond.wire.speed_tests import Direction

BONDER, AGGREGATOR = "bonder", "aggregator"
ENDS = (BONDER, AGGREGATOR)


@dataclass(frozen=True, slots=True)
class Measured:
    """A finished test: `results` as version 3 of the API shows them, and what it does not show.

    Latencies in ms; `bytes_moved` counts outer packets, both ways.
    """

    results: dict[str, Any]
    idle_latency: float | None
    idle_deviation: float | None
    bytes_moved: int


def receiver_of(direction: str) -> str:
    """Return the end that counts what arrives."""
    return BONDER if direction == Direction.DOWNLOAD.value else AGGREGATOR


def measured(direction: str, ended: dict[str, SpeedTestEnded]) -> Measured:
    """Return what both ends' last words amount to.

    Throughput is the receiver's, the queue the sender's; latency and idle latency are the
    bonder's, as it stands where the customer does.
    """
    receiver = ended[receiver_of(direction)]
    sender = ended[BONDER if receiver is ended[AGGREGATOR] else AGGREGATOR]
    near = ended[BONDER]
    latency, deviation = _milliseconds(near.latency)
    idle_latency, idle_deviation = _milliseconds(near.idle)
    results = {
        **_rates(receiver.counted),
        "latency_average": latency,
        "latency_deviation": deviation,
        "latency_samples": near.latency.samples if near.latency else 0,
        "send_queue_average": sender.counted.queue_milli / 1000,
        "packet_loss": _loss(sender.whole.sent_packets, receiver.whole.received_packets),
    }
    return Measured(
        results=results,
        idle_latency=idle_latency,
        idle_deviation=idle_deviation,
        bytes_moved=max(_moved(one.whole) for one in ended.values()),
    )


def progress_element(report: SpeedTestProgress) -> dict[str, Any]:
    """Return one element of `progress_results`, from the receiver's report."""
    return {
        "time": float(report.second),
        **_rates(report.counted),
        "latency": _milliseconds(report.latency)[0],
    }


def _rates(counted: Counted) -> dict[str, int]:
    span = max(1, counted.span_ms)
    return {
        "throughput": round(counted.received_bytes * 8 * 1000 / span),
        "packet_rate": round(counted.received_packets * 1000 / span),
    }


def _moved(whole: Counted) -> int:
    return whole.sent_bytes + whole.received_bytes


def _loss(sent: int, received: int) -> float:
    """Return percent. What was under way at the edges may make it seem as if more arrived."""
    return round(max(0, sent - received) * 100 / sent, 3) if sent else 0.0


def _milliseconds(latency: Latency | None) -> tuple[float | None, float | None]:
    """Return mean and standard deviation in ms."""
    if latency is None:
        return None, None
    return latency.mean_us / 1000, latency.deviation_us / 1000
