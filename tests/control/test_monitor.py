"""The checker of a server process, with its own threads and clock, and beside another one."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connections

from openbond.server.bonds.models import Bond
from openbond.server.control.monitor import Monitor
from openbond.server.fleet.models import Aggregator, AggregatorCheck, ConfigUpdate, MonitorLease
from openbond.server.fleet.selectors import Watched
from openbond.server.system.actors import SERVER
from openbond.server.system.services import update_settings
from tests.world import World, create_world

SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    made = create_world()
    Aggregator.objects.update(failover_monitoring=True)
    ConfigUpdate.objects.all().delete()
    return made


@dataclass
class Network:
    """What is there to be asked, and how often it was; the clock belongs to the test."""

    now: datetime
    dead: set[int] = field(default_factory=set)
    silent_hosts: set[str] = field(default_factory=set)
    probed: int = 0
    asked: int = 0
    broken: bool = False

    async def probe(self, watched: Watched, context: ssl.SSLContext) -> str:
        self.probed += 1
        if self.broken:
            raise DatabaseError("no such table")
        return "Silence." if watched.aggregator_id in self.dead else ""

    async def ask_hosts(self, hosts: Sequence[str]) -> str:
        self.asked += 1
        return " ".join(f"{host} is silent." for host in hosts if host in self.silent_hosts)

    def monitor(self) -> Monitor:
        return Monitor(
            context=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            clock=lambda: self.now,
            probe=self.probe,
            ask_hosts=self.ask_hosts,
        )


def run(network: Network, seconds: int, *, processes: int = 1, step: int = 3) -> None:
    """Let so many processes check for a while, one turn of each every `step` seconds."""

    async def story() -> None:
        monitors = [network.monitor() for _ in range(processes)]
        until = network.now + seconds * SECOND
        while network.now < until:
            network.now += step * SECOND
            await asyncio.gather(*(monitor.turn() for monitor in monitors))
            await asyncio.gather(*(monitor.settled() for monitor in monitors))
        for monitor in monitors:
            await monitor.close()

    asyncio.run(story())
    connections.close_all()


def test_two_processes_check_once_and_move_once(world: World) -> None:
    network = Network(world.now)
    network.dead = {world.home.pk}

    run(network, 140, processes=2)

    # At 0 (no miss, right after the start), 30, 60, 90 and 120 s, two aggregators each.
    assert network.probed == 10
    assert AggregatorCheck.objects.get(pk=world.home.pk).failure == 4
    assert Bond.objects.get(pk=world.bond.pk).current_aggregator_id == world.away.pk
    assert ConfigUpdate.objects.filter(reason="aggregator failover").count() == 3


def test_known_hosts_are_asked_when_it_matters_and_not_before(world: World) -> None:
    update_settings(by=SERVER, known_hosts_enabled=True, known_hosts=["gate"])
    network = Network(world.now, silent_hosts={"gate"})
    run(network, 70)
    in_peace = network.asked

    network.dead = {world.home.pk}
    run(network, 130)
    kept = Bond.objects.get(pk=world.bond.pk).current_aggregator_id
    network.silent_hosts = set()
    run(network, 15)

    assert in_peace == 0
    assert network.asked > 0
    assert kept == world.home.pk
    assert Bond.objects.get(pk=world.bond.pk).current_aggregator_id == world.away.pk


def test_what_held_up_moves_is_forgotten_with_the_last_failure(world: World) -> None:
    ended = world.now - SECOND
    MonitorLease.objects.create(
        pk=1, holder="old", until=ended, held="A host is silent.", hosts_fault="gate is silent."
    )
    network = Network(world.now)

    run(network, 6)

    lease = MonitorLease.objects.get()
    assert (lease.held, lease.hosts_fault) == ("", "")


def test_a_check_that_fails_for_a_reason_of_our_own_says_nothing_of_the_aggregator(
    world: World,
) -> None:
    network = Network(world.now, broken=True)

    run(network, 200)

    assert not Aggregator.objects.filter(failed=True).exists()
    assert not AggregatorCheck.objects.exists()
