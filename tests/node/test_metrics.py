"""What is measured between two readings, in which batches, at which times."""

import asyncio
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from openbond.node import clock
from openbond.node.agent.measuring import Measuring, Sources, times_of, wait_until_next
from openbond.node.agent.reporting import Reporter
from openbond.node.daemon_messages import LegStatus, StatusAnswer
from openbond.node.errors import ServerUnreachable
from openbond.node.linux.health import Health, read_health
from openbond.node.metrics import Reading, Sample, batches_of, sample_between
from openbond.node.report_queue import ReportQueue
from openbond.wire.config import NodeContent
from openbond.wire.exchange import ReportAnswer, ReportRequest
from openbond.wire.metrics import Column, lengthened
from openbond.wire.reports import Metrics, Report
from openbond.wire.states import ShownState
from tests.node.samples import aggregator, bond, bonder, far_leg, static_leg
from tests.node.virtual_time import run_virtually

MB = 1_000_000
UP = ShownState.UP


def leg_status(leg_id: int = 21, *, counters: dict[str, int], **more: Any) -> LegStatus:
    return LegStatus(
        leg_id=leg_id, state=UP, path_mtu=1400, path_mtu_measured=True, counters=counters, **more
    )


def status(
    *legs: LegStatus, started: int = 1, sent: int = 0, received: int = 0, **counters: int
) -> StatusAnswer:
    return StatusAnswer(
        bond_id=7,
        pid=1,
        started_at_ms=started,
        inner_mtu=1400,
        legs=list(legs),
        counters={"inner_sent_octets": sent, "inner_received_octets": received, **counters},
    )


def reading(at: float, answer: StatusAnswer | None = None, **more: Health) -> Reading:
    changes = {(7, 21): round(at) // 10}
    return Reading(at, more.get("health", Health()), {7: answer} if answer else {}, changes)


def between(
    before: Reading, after: Reading, *, content: NodeContent | None = None, interval: float = 10.0
) -> Sample | None:
    content = content or bonder(bond(legs=[static_leg()]))
    return sample_between(before, after, content, interval=interval)


def sampled(before: Reading, after: Reading, *, content: NodeContent | None = None) -> Sample:
    sample = between(before, after, content=content)
    assert sample is not None
    return sample


# ---------------------------------------------------------------------------------------- samples


def test_a_bonder_sends_up_and_an_aggregator_down() -> None:
    before = reading(0, status(sent=0, received=0))
    after = reading(10, status(sent=MB, received=5 * MB))
    far = aggregator(bond(legs=[far_leg()]))

    near_end, far_end = sampled(before, after), sampled(before, after, content=far)

    assert (near_end.bonds[7]["up"], near_end.bonds[7]["down"]) == (800_000, 4_000_000)
    assert (far_end.bonds[7]["up"], far_end.bonds[7]["down"]) == (4_000_000, 800_000)


def test_each_end_tells_the_direction_in_which_it_sends() -> None:
    legs = [leg_status(counters={}, rtt_us=20_000, jitter_us=900, loss_permille=12)]
    before, after = reading(0, status(*legs)), reading(10, status(*legs))
    far = aggregator(bond(legs=[far_leg()]))

    near_leg = sampled(before, after).legs[7, 21]
    far_leg_values = sampled(before, after, content=far).legs[7, 21]

    assert (near_leg["loss_up"], near_leg["speed_up"]) == (12, 10_000)
    assert "loss_down" not in near_leg
    assert (far_leg_values["loss_down"], far_leg_values["speed_down"]) == (12, 20_000)
    assert (near_leg["path_mtu"], near_leg["jitter"], near_leg["state_changes"]) == (1400, 900, 1)


def test_an_adapted_speed_is_the_one_in_force() -> None:
    legs = [leg_status(counters={}, adapted_kbps=4_000)]

    leg = sampled(reading(0, status(*legs)), reading(10, status(*legs))).legs[7, 21]

    assert leg["speed_up"] == 4_000


def test_latency_is_that_of_all_round_trips_of_the_interval() -> None:
    """Ten of 20 ms on one leg, ten of 40 ms on the other: mean 30, deviation 10."""
    content = bonder(bond(legs=[static_leg(21), static_leg(22, "eth2")]))
    before = reading(0, status(*(leg_status(i, counters=trips(100, 5)) for i in (21, 22))))
    one, two = trips(100, 5, ten_more=20), trips(100, 5, ten_more=40)
    after = reading(10, status(leg_status(21, counters=one), leg_status(22, counters=two)))

    sample = sampled(before, after, content=content)

    assert (sample.bonds[7]["latency"], sample.bonds[7]["latency_deviation"]) == (30_000, 10_000)
    assert [sample.legs[7, leg]["latency"] for leg in (21, 22)] == [20_000, 40_000]


def trips(count: int, of_ms: int, *, ten_more: int = 0) -> dict[str, int]:
    more = 10 if ten_more else 0
    return {
        "rtts": count + more,
        "rtt_us": 1000 * (count * of_ms + more * ten_more),
        "rtt_squares": 1000 * (count * of_ms**2 + more * ten_more**2),
    }


def test_drops_are_counted_by_reason_over_bond_and_legs() -> None:
    before = reading(
        0, status(leg_status(counters={"late": 1, "dropped_bad_tag": 2}), dropped_malformed=1)
    )
    after = reading(
        10,
        status(leg_status(counters={"late": 4, "dropped_bad_tag": 7}), dropped_malformed=1, held=3),
    )

    values = sampled(before, after).bonds[7]

    assert (values["late"], values["dropped_bad_tag"], values["dropped_malformed"]) == (3, 5, 0)


def test_a_daemon_that_began_anew_leaves_a_gap_and_no_wrong_value() -> None:
    before = reading(0, status(leg_status(counters=trips(50, 20)), sent=1000 * MB, held=9))
    after = reading(
        10, status(leg_status(counters=trips(60, 20)), started=2, sent=2000 * MB, held=12)
    )

    sample = sampled(before, after)

    assert [sample.bonds[7][name] for name in ("up", "down", "held", "latency")] == [None] * 4
    assert sample.legs[7, 21]["latency"] is None
    assert sample.legs[7, 21]["path_mtu"] == 1400


def test_a_counter_that_fell_tells_nothing() -> None:
    before, after = reading(0, status(sent=1000)), reading(10, status(sent=10, received=5))

    assert sampled(before, after).bonds[7]["up"] is None
    assert sampled(before, after).bonds[7]["down"] is None


def test_a_daemon_that_did_not_answer_is_a_gap_in_its_bond_alone() -> None:
    health = Health(loads=(1, 2, 3), busy_ticks=10, all_ticks=100)

    sample = sampled(reading(0, status()), reading(10, health=health))

    assert sample.bonds == {}
    assert (sample.node["load_1"], sample.node["cpu"]) == (1, None)


@pytest.mark.parametrize("at", [0.0, -5.0, 31.0])
def test_readings_too_far_apart_make_no_sample(at: float) -> None:
    assert between(reading(0, status()), reading(at, status())) is None


# ----------------------------------------------------------------------------------------- health


def test_the_machine_tells_of_itself(tmp_path: Path) -> None:
    write(tmp_path / "stat", "cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 1 2 3 4 5\n")
    write(tmp_path / "loadavg", "0.42 1.00 12.34 1/100 4711\n")
    write(tmp_path / "meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n")
    write(tmp_path / "uptime", "86400.51 1.0\n")
    write(tmp_path / "thermal_zone0" / "temp", "41500\n")
    write(tmp_path / "thermal_zone1" / "temp", "63200\n")

    health = read_health(tmp_path, proc=tmp_path, thermal=tmp_path)

    assert health.loads == (42, 100, 1234)
    assert (health.busy_ticks, health.all_ticks) == (150, 1000)
    assert (health.memory, health.temperature, health.uptime) == (750, 632, 86_400)
    assert health.disk is not None
    assert 0 <= health.disk <= 1000


def test_a_machine_that_tells_nothing_breaks_nothing(tmp_path: Path) -> None:
    write(tmp_path / "stat", "nonsense")
    write(tmp_path / "uptime", "")

    health = read_health(tmp_path / "none", proc=tmp_path, thermal=tmp_path)

    assert health == Health()


def test_cpu_is_the_busy_share_of_the_interval() -> None:
    before = reading(0, health=Health(busy_ticks=100, all_ticks=1000))
    after = reading(10, health=Health(busy_ticks=350, all_ticks=2000))

    assert sampled(before, after).node["cpu"] == 250


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


# ---------------------------------------------------------------------------------------- batches


def test_a_batch_leaves_out_what_says_nothing() -> None:
    samples = [
        Sample(at, {"cpu": 5, "temperature": None}, {7: {"up": up, "dropped_bad_tag": 0}})
        for at, up in ((1.0, 8), (2.0, None))
    ]

    (batch,) = batches_of(samples)

    assert batch.node == {"cpu": [5]}
    assert batch.bonds[0].series == {"up": [8, None]}


def test_many_bonds_are_cut_into_reports_that_are_small() -> None:
    samples = [Sample(1.0, {"cpu": 5}, {number: {"up": 1} for number in range(250)})]

    batches = list(batches_of(samples))

    assert [len(batch.bonds) for batch in batches] == [100, 100, 50]
    assert [bool(batch.node) for batch in batches] == [True, False, False]


def test_a_bond_that_came_later_has_a_gap_before() -> None:
    samples = [Sample(1.0, {}), Sample(2.0, {}, {7: {"up": 1}}, {(7, 21): {"up": 2}})]

    (batch,) = batches_of(samples)

    assert batch.bonds[0].series == {"up": [None, 1]}
    assert batch.bonds[0].legs[0].series == {"up": [None, 2]}


# ------------------------------------------------------------------------------------------ times


def test_a_clock_that_was_set_meanwhile_does_not_tear_the_times_apart() -> None:
    samples = [Sample(at, {}) for at in (100.0, 110.0, 120.0)]

    assert times_of(samples, monotonic=121.0, wall_ms=5_000_000) == [
        4_979_000,
        4_989_000,
        4_999_000,
    ]


@pytest.mark.parametrize(("wall_ms", "seconds"), [(0, 5), (4_000, 11), (5_000, 10), (5_200, 9.8)])
def test_samples_are_taken_in_the_middle_of_an_interval(wall_ms: int, seconds: float) -> None:
    assert wait_until_next(wall_ms, 10.0) == pytest.approx(seconds)


# ------------------------------------------------------------------------- while the server is away


class FakeServer:
    """Takes reports in order, each number once; or is away."""

    def __init__(self) -> None:
        self.is_away = False
        self.taken: list[Report] = []

    async def report(self, request: ReportRequest) -> ReportAnswer:
        if self.is_away:
            raise ServerUnreachable("away")
        last = self.taken[-1].number if self.taken else 0
        self.taken += [report for report in request.reports if report.number > last]
        return ReportAnswer(taken=self.taken[-1].number if self.taken else 0)


class Counting:
    """A daemon whose bond carries 1,000 octets up each second."""

    def __init__(self, began: float) -> None:
        self.began = began

    async def statuses(self) -> Mapping[int, StatusAnswer]:
        sent = round(1000 * (clock.monotonic() - self.began))
        return {7: status(leg_status(counters={}), sent=sent)}


def live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, away: tuple[float, float], seconds: float
) -> list[Metrics]:
    """Return the reports that a server has after so many seconds, in part of which it was away."""

    async def life() -> list[Metrics]:
        loop, server = asyncio.get_running_loop(), FakeServer()
        began = loop.time()
        monkeypatch.setattr(clock, "wall_ms", lambda: round(loop.time() * 1000))
        reporter = Reporter(ReportQueue(tmp_path / "queue"))
        content = bonder(bond(legs=[static_leg()]))
        sources = Sources(lambda: content, Counting(began).statuses, dict, Health)
        tasks = [
            asyncio.create_task(Measuring(sources, reporter).run()),
            asyncio.create_task(reporter.run(server)),
        ]
        await asyncio.sleep(away[0])
        server.is_away = True
        await asyncio.sleep(away[1] - away[0])
        server.is_away = False
        await asyncio.sleep(seconds - away[1])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [report for report in server.taken if isinstance(report, Metrics)]

    return run_virtually(life())


def test_what_was_measured_while_the_server_was_away_arrives_later_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = live(tmp_path, monkeypatch, away=(200, 800), seconds=1300)

    times = [at for report in reports for at in report.times_ms]
    rates: Column = [
        rate
        for report in reports
        for rate in lengthened(report.bonds[0].series["up"], len(report.times_ms)) or []
    ]
    # Ten minutes away, more than a thousand seconds in all: every ten seconds of them, none twice.
    assert len(times) > 110
    assert [later - earlier for earlier, later in pairwise(times)] == [10_000] * (len(times) - 1)
    assert rates == [8_000] * len(times)
    assert [len(report.times_ms) for report in reports] == [6] * len(reports)
