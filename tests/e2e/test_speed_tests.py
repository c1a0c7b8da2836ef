"""Speed tests of the lab's bond, ordered through the API and run by the nodes (issue 5)."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from openbond.lab.layout import LINES, AccessLine
from openbond.lab.waiting import wait_until

from .site import Site
from .tcp_session import TcpSession

pytestmark = [pytest.mark.e2e, pytest.mark.speeds, pytest.mark.xdist_group("lab")]

DSL, CABLE, FIBRE = LINES
PATIENCE = 60
AGGREGATOR = "agg1"


class Second(Struct, frozen=True):
    time: float
    throughput: int
    packet_rate: int
    latency: float | None


class Results(Struct, frozen=True):
    throughput: int
    packet_rate: int
    latency_average: float | None
    latency_samples: int
    send_queue_average: float
    packet_loss: float


class TestView(Struct, frozen=True):
    id: int
    url: str
    status: str
    description: str
    error: str
    progress_results: list[Second]
    results: Results | None

    __test__ = False

    @property
    def mbps(self) -> float:
        assert self.results is not None, (self.status, self.error)
        return self.results.throughput / 1e6


def submit(site: Site, **fields: Any) -> TestView:
    return site.api.post(f"/api/v3/bonds/{site.bond_id}/speedtests/", fields, TestView)


def now_of(site: Site, test: TestView) -> TestView:
    return site.api.get(test.url, TestView)


def wait_for(site: Site, test: TestView, *statuses: str) -> TestView:
    def is_there() -> bool:
        return now_of(site, test).status in statuses

    wait_until(is_there, what=f"the test is {' or '.join(statuses)}", patience=PATIENCE, pause=0.1)
    return now_of(site, test)


def ended(site: Site, test: TestView) -> TestView:
    return wait_for(site, test, "finished", "failed", "cancelled")


def running(site: Site, test: TestView) -> TestView:
    """Wait until traffic of a test was counted."""

    def has_progress() -> bool:
        found = now_of(site, test)
        assert found.status in ("queued", "running"), found
        return bool(found.progress_results)

    wait_until(has_progress, what="the test makes progress", patience=PATIENCE, pause=0.1)
    return now_of(site, test)


def passed(site: Site, line: AccessLine) -> int:
    """Return how many bytes a line carried so far, both ways."""
    status = site.lab.topology.relay(line).status()
    return status.up.passed_bytes + status.down.passed_bytes


def wait_until_back(site: Site) -> None:
    """The legs are in their bond again, and nothing of a test is left on the nodes."""
    site.wait_until_whole(patience=20)
    for host in ("bonder", AGGREGATOR):
        wait_until(
            lambda host=host: not site.pids(host, "iperf3"),  # type: ignore[misc]
            what=f"no iperf3 is left on {host}",
            patience=10,
        )


def test_a_leg_of_20_is_measured_at_18_to_20_while_customers_use_the_others(
    site: Site, tmp_path: Path
) -> None:
    leg = site.leg(DSL)
    with TcpSession(site, tmp_path) as session:
        down = submit(site, leg=leg.id, length=4, direction="download")
        running(site, down)
        states = site.ends(DSL)
        down = ended(site, down)
        site.wait_until_whole(patience=20)
        up = ended(site, submit(site, leg=leg.id, length=4, direction="upload"))

    assert states == ("testing", "testing")
    assert 18 <= down.mbps <= 20.1, down
    assert 18 <= up.mbps <= 20.1, up
    assert [second.time for second in down.progress_results][:3] == [1.0, 2.0, 3.0]
    assert up.results is not None
    assert up.results.latency_samples > 20
    assert session.connections() == 1
    assert session.longest_silence() < 1.0
    wait_until_back(site)


def test_a_bond_test_uses_all_legs_and_stops_customers_for_as_long(site: Site) -> None:
    before = {line: passed(site, line) for line in LINES}
    test = submit(site, length=3, concurrency=4)
    running(site, test)
    could_ping = site.can_ping()
    done = ended(site, test)
    carried = {line: passed(site, line) - before[line] for line in LINES}

    assert done.status == "finished", done
    assert not could_ping
    assert "customer traffic stopped" in done.description
    # What the machine gives counts against all three; each carries a good part of its speed.
    best = done.mbps / 170
    for line in LINES:
        assert carried[line] * 8 / 1e6 > 0.4 * best * line.mbps * 3, (line, carried, done)
    wait_until(site.can_ping, what="customers are served again", patience=10)
    assert site.states() == {line.number: "up" for line in LINES}


def test_a_leg_cut_in_its_test_fails_the_test_and_returns_when_it_is_mended(site: Site) -> None:
    test = submit(site, leg=site.leg(CABLE).id, length=30, rate_limit=5)
    running(site, test)

    site.cut(CABLE)
    failed = ended(site, test)
    site.mend(CABLE)

    assert failed.status == "failed"
    assert failed.error.startswith(f"Leg {site.leg(CABLE).id} went down"), failed
    wait_until_back(site)


def test_a_server_that_starts_anew_finds_its_test_running_and_finishes_it(site: Site) -> None:
    test = submit(site, leg=site.leg(FIBRE).id, length=6, rate_limit=5)
    running(site, test)

    site.kill_server()
    time.sleep(1.0)
    site.lab.start_server()
    wait_until(site.server_answers, what="the server answers", patience=30)
    done = ended(site, test)

    assert done.status == "finished", done
    assert len(done.progress_results) >= 5
    wait_until_back(site)


def test_a_restart_of_the_bond_cancels_its_test(site: Site) -> None:
    test = submit(site, leg=site.leg(FIBRE).id, length=60, rate_limit=5)
    running(site, test)

    site.api.post(f"/api/v3/bonds/{site.bond_id}/restart/", {}, msgspec.Raw)
    cancelled = ended(site, test)

    assert (cancelled.status, cancelled.error) == ("cancelled", "The bond was restarted.")
    wait_until(site.can_ping, what="the bond is up again", patience=30)
    wait_until_back(site)


@pytest.fixture(autouse=True)
def no_test_is_left(site: Site) -> Iterator[None]:
    yield
    rows = site.api.get(f"/api/v3/bonds/{site.bond_id}/speedtests/?status=running", list[TestView])
    assert rows == []
