"""/metrics: the page that Prometheus scrapes, and who sees what of it."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from openbond.server.bonds.models import LegReport
from openbond.server.fleet.models import Node
from openbond.server.spaces.models import User
from openbond.server.spaces.services import create_token
from openbond.server.system.actors import SERVER
from openbond.server.telemetry.rules.times import ms_of
from tests.server.telemetry.telling import MINUTE_MS, Teller
from tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "telemetry"])

SAMPLE = re.compile(r"(?P<name>[a-z0-9_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")


@pytest.fixture
def measured(world: World) -> World:
    near = Teller(node_id=world.bonder.pk, bond_id=world.bond.pk, leg_ids=[world.dhcp_leg.pk])
    now_ms = ms_of(timezone.now())
    near.tell(
        near.measure(
            [now_ms - 20_000, now_ms - 10_000],
            node={"cpu": [200, 300], "load_1": [50], "temperature": [415]},
            bond={
                "up": [8_000, 16_000],
                "latency": [20_000, None],
                "held": [10, 20],
                "dropped_bad_tag": [5],
            },
            legs={world.dhcp_leg.pk: {"down": [80], "loss_up": [12], "path_mtu": [1492]}},
        ),
        now_ms=now_ms,
    )
    Node.objects.filter(pk=world.bonder.pk).update(last_connected=timezone.now())
    return world


def scrape(client: Client) -> dict[str, dict[str, float]]:
    """Return the samples by name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    found: dict[str, dict[str, float]] = {}
    for match in samples(answer.content.decode()):
        found.setdefault(match["name"], {})[match["labels"] or ""] = float(match["value"])
    return found


def samples(text: str) -> Iterator[re.Match[str]]:
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            yield match


def only(found: dict[str, dict[str, float]], name: str, *parts: str) -> float:
    (value,) = [
        value for labels, value in found[name].items() if all(part in labels for part in parts)
    ]
    return value


def test_what_was_measured_is_shown_in_base_units(measured: World) -> None:
    found = scrape(measured.client("ana"))

    bond = (f'bond="{measured.bond.pk}"', 'name="site-1"', 'end="bonder"')
    leg = (*bond, f'leg="{measured.dhcp_leg.pk}"', 'interface="eth1"')
    assert only(found, "openbond_bond_traffic_bytes_per_second", *bond, 'direction="up"') == 1500
    assert only(found, "openbond_bond_latency_seconds", *bond) == pytest.approx(0.020)
    assert only(found, "openbond_bond_held_packets_per_second", *bond) == 1.5
    assert only(found, "openbond_bond_dropped_packets_per_second", 'reason="bad_tag"') == 0.5
    assert only(found, "openbond_leg_traffic_bytes_per_second", *leg, 'direction="down"') == 10
    assert only(found, "openbond_leg_loss_ratio", *leg, 'direction="up"') == pytest.approx(0.012)
    assert only(found, "openbond_leg_path_mtu_bytes", *leg) == 1492
    node = f'node="{measured.bonder.pk}"'
    assert only(found, "openbond_node_cpu_busy_ratio", node) == 0.25
    assert only(found, "openbond_node_load1", node) == 0.5
    assert only(found, "openbond_node_temperature_celsius", node) == 41.5


def test_states_of_nodes_bonds_and_legs_are_shown(measured: World) -> None:
    now = timezone.now()
    LegReport.objects.filter(leg=measured.dhcp_leg).update(
        bonder_state="up", bonder_reported=now, aggregator_state="up", aggregator_reported=now
    )

    found = scrape(measured.client("admin"))

    bond = f'bond="{measured.bond.pk}"'
    assert only(found, "openbond_node_connected", f'node="{measured.bonder.pk}"') == 1
    assert only(found, "openbond_node_connected", f'node="{measured.home.pk}"') == 0
    assert only(found, "openbond_bond_up", bond) == 1
    info = only(found, "openbond_bond_info", bond, 'space="acme"', 'aggregator="home"')
    state = only(found, "openbond_leg_state", f'leg="{measured.dhcp_leg.pk}"', 'state="up"')
    assert (info, state) == (1, 1)
    assert only(found, "openbond_aggregator_bonds", 'name="home"') == 2


def test_the_installation_tells_of_itself_to_the_root_alone(measured: World) -> None:
    of_root, of_space = scrape(measured.client("admin")), scrape(measured.client("ana"))

    assert "pending" in "".join(of_root["openbond_server_config_updates"])
    assert set(of_root["openbond_server_tasks"]) >= {'status="ready"', 'status="failed"'}
    assert of_root["process_resident_memory_bytes"][""] > 1e6
    assert "openbond_server_tasks" not in of_space
    assert "process_cpu_seconds_total" not in of_space


def test_nobody_sees_more_than_his_reach_and_codes(measured: World) -> None:
    text = measured.client("gil").get("/metrics").content.decode()
    assert f'bond="{measured.globex_bond.pk}"' in text
    assert f'bond="{measured.bond.pk}"' not in text
    assert "site-1" not in text
    assert "home" not in text  # the aggregator is the root's

    measured.restrict("ana", "view_bond")
    found = scrape(measured.client("ana"))
    assert "openbond_bond_traffic_bytes_per_second" in found
    assert not any(name.startswith(("openbond_leg", "openbond_node")) for name in found)


def test_a_token_comes_as_prometheus_sends_it(measured: World) -> None:
    issued = create_token(
        by=SERVER,
        owner=measured.user("ana"),
        name="prometheus",
        expires=timezone.now() + timedelta(days=30),
        read_only=True,
    )

    bearer = Client(headers={"Authorization": f"Bearer {issued.text}"})
    wrong = Client(headers={"Authorization": "Bearer wrong"})

    assert "openbond_bond_up" in scrape(bearer)
    assert wrong.get("/metrics").status_code == 401
    assert measured.nobody().get("/metrics").status_code == 401
    assert bearer.post("/metrics").status_code == 405


def test_what_was_told_too_long_ago_is_not_shown(world: World) -> None:
    teller = Teller(node_id=world.bonder.pk, bond_id=world.bond.pk)
    teller.tell_minute(ms_of(timezone.now()) - 10 * MINUTE_MS, 5)

    found = scrape(world.client("ana"))

    assert "openbond_bond_traffic_bytes_per_second" not in found


def test_names_cannot_break_the_format(world: World) -> None:
    Node.objects.filter(pk=world.bonder.pk).update(name='a"b\\c\nd')

    found = scrape(world.client("ana"))

    assert any(r'name="a\"b\\c\nd"' in labels for labels in found["openbond_bond_up"])


def test_each_family_is_told_once_and_together(measured: World) -> None:
    text = measured.client("admin").get("/metrics").content.decode()

    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    current = ""
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            current = line.split()[2]
        elif not line.startswith("#"):
            assert re.split(r"[{ ]", line)[0] == current


def test_a_scrape_costs_the_same_for_few_and_for_many(measured: World) -> None:
    User.objects.update(last_login=timezone.now() + timedelta(minutes=1))

    def queries() -> int:
        with (
            CaptureQueriesContext(connections["default"]) as of_default,
            CaptureQueriesContext(connections["telemetry"]) as of_telemetry,
        ):
            measured.client("admin").get("/metrics")
        return len(of_default) + len(of_telemetry)

    few = queries()
    for leg in (measured.static_leg, measured.pppoe_leg):
        teller = Teller(node_id=leg.pk + 1000, teller=leg.pk)
        teller.tell(
            teller.measure([0], node={"cpu": [1]}), now_ms=ms_of(timezone.now()), sent_at_ms=0
        )

    assert queries() == few
    assert few <= 13
