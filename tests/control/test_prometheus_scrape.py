"""A real Prometheus scrapes a real server, and its queries answer. Runs where it is installed.

Debian has it (`apt-get install prometheus`); scripts/setup does not install it, as it is 100 MB.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from openbond.wire.exchange import ENROL, HEADER_NODE_KEY, REPORT, EnrolAnswer, ReportRequest
from openbond.wire.metrics import BondMetrics, Columns, LegMetrics
from openbond.wire.reports import LegFacts, Metrics, NodeState
from openbond.wire.states import ShownState

from .live import LiveServer
from .machine import Machine

DEPLOY = Path(__file__).parents[2] / "deploy"
ADMIN = "admin@localhost"
PATIENCE_S = 60

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed"),
    pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(state=tmp_path_factory.mktemp("scraped") / "state")
    live.start()
    yield live
    live.stop()


@pytest.fixture(scope="module")
def token(server: LiveServer) -> str:
    said = server.run("token", "create", ADMIN, "prometheus", "--read-only")
    return next(line for line in said.splitlines() if line.startswith("Authorization:")).split()[-1]


@pytest.fixture(scope="module")
def measured(server: LiveServer) -> dict[str, Any]:
    """A bond whose bonder reported once."""
    made = server.populate("bond")
    machine = Machine()
    body = msgspec.json.encode(machine.enrol_request())
    with server.client() as client:
        answer = client.post(ENROL, content=body, headers={HEADER_NODE_KEY: made["bonder"]})
        machine.node_id = msgspec.json.decode(answer.content, type=EnrolAnswer).node_id
        told = msgspec.json.encode(report(made["bond"]))
        answer = client.post(REPORT, content=told, headers=machine.headers(REPORT, told))
    assert answer.status_code == 200, answer.text
    return made


def report(bond_id: int) -> ReportRequest:
    """One report of a bonder on the first bond of a server, whose leg has the id 1."""
    now_ms = time.time_ns() // 1_000_000
    rates: Columns = {"up": [400_000], "down": [8_000_000], "latency": [21_000]}
    of_bond: Columns = {
        "latency_deviation": [900],
        "held": [2],
        "late": [0],
        "dropped_bad_tag": [1],
    }
    leg = LegMetrics(leg_id=1, series={**rates, "loss_up": [3], "state_changes": [0]})
    facts = LegFacts(bond_id=bond_id, leg_id=1, state=ShownState.UP)
    return ReportRequest(
        sent_at_ms=now_ms,
        reports=[
            NodeState(number=1, at_ms=now_ms, boot_id="b", legs=[facts]),
            Metrics(
                number=2,
                at_ms=now_ms,
                interval_ms=10_000,
                times_ms=[now_ms],
                node={"cpu": [125], "memory": [500], "load_1": [42], "temperature": [405]},
                bonds=[BondMetrics(bond_id=bond_id, series={**rates, **of_bond}, legs=[leg])],
            ),
        ],
    )


@pytest.fixture(scope="module")
def prometheus(
    server: LiveServer,
    token: str,
    measured: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A Prometheus with our sample of a config, which only looks more often."""
    place = tmp_path_factory.mktemp("prometheus")
    (place / "token").write_text(token)
    config = (DEPLOY / "prometheus.yml").read_text()
    for sample, ours in {
        "scrape_interval: 60s": "scrape_interval: 1s",
        "scrape_timeout: 30s": "scrape_timeout: 1s",
        "/etc/prometheus/openbond.token": str(place / "token"),
        "/etc/prometheus/openbond-ca.pem": str(server.state / "ca" / "ca.pem"),
        "bond.example.net:8443": f"127.0.0.1:{server.port}",
    }.items():
        assert sample in config
        config = config.replace(sample, ours)
    (place / "prometheus.yml").write_text(config)
    subprocess.run(["promtool", "check", "config", place / "prometheus.yml"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [
        "prometheus",
        f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        (place / "log").open("w") as log,
        subprocess.Popen(argv, stderr=log, stdout=log) as running,
    ):
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
        finally:
            running.terminate()


def query(client: httpx.Client, expression: str) -> list[dict[str, Any]]:
    """Return the result of an instant query. Raises httpx.TransportError while it starts."""
    answer = client.get("/api/v1/query", params={"query": expression})
    body = answer.json()
    assert body["status"] == "success", (expression, body)
    result: list[dict[str, Any]] = body["data"]["result"]
    return result


def awaited(client: httpx.Client, expression: str) -> list[dict[str, Any]]:
    """Return the result of a query as soon as it has one."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            if found := query(client, expression):
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"nothing answers {expression}")


def test_prometheus_scrapes_the_server_and_answers(
    prometheus: httpx.Client, measured: dict[str, Any]
) -> None:
    (up,) = awaited(prometheus, 'up{job="openbond"} == 1')
    (traffic,) = awaited(
        prometheus, 'openbond_bond_traffic_bytes_per_second{direction="down",end="bonder"}'
    )
    (latency,) = awaited(prometheus, "openbond_leg_latency_seconds")

    assert up["value"][1] == "1"
    assert (traffic["metric"]["bond"], traffic["metric"]["name"]) == (str(measured["bond"]), "site")
    assert traffic["value"][1] == "1000000"
    assert (latency["metric"]["interface"], latency["value"][1]) == ("eth1", "0.021")


def test_every_query_of_the_dashboard_answers(prometheus: httpx.Client) -> None:
    awaited(prometheus, "rate(process_cpu_seconds_total[1m])")
    board = json.loads((DEPLOY / "grafana" / "openbond.json").read_text())
    expressions = [
        target["expr"].replace("$bond", ".*")
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]

    silent = [expression for expression in expressions if not query(prometheus, expression)]

    assert len(expressions) > 20
    assert silent == []


def test_promtool_finds_nothing_to_improve(
    server: LiveServer, token: str, measured: dict[str, Any]
) -> None:
    with server.client() as client:
        page = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page.content, capture_output=True, check=False
    )

    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
