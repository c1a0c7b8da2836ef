"""States of legs and status of bonds, by the database (api-v3 03-legs 4, 02-bonds 1.4)."""

from datetime import datetime, timedelta
from itertools import product

import pytest
from django.db.models import F

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.bonds.selectors import with_rates, with_states, with_status
from openbond.server.bonds.services import update_leg
from openbond.server.fleet.models import Bonder
from openbond.server.measurement.rules import combined
from openbond.server.system.actors import SERVER
from openbond.wire.states import ShownState
from tests.world import World

TIMEOUT = 180


def say(leg: Leg, *, bonder: str, aggregator: str, at: datetime) -> None:
    LegReport.objects.filter(leg=leg).update(
        bonder_state=bonder,
        aggregator_state=aggregator,
        bonder_reported=at,
        aggregator_reported=at,
    )


def state_of(leg: Leg, now: datetime) -> str:
    legs = with_states(Leg.objects.filter(pk=leg.pk), now=now, timeout_seconds=TIMEOUT)
    return str(legs.values_list(F("state"), flat=True)[0])


def status_of(bond: Bond, now: datetime) -> str:
    bonds = with_status(Bond.objects.filter(pk=bond.pk), now=now, timeout_seconds=TIMEOUT)
    return str(bonds.values_list(F("status"), flat=True)[0])


def test_the_database_combines_two_views_as_the_rule_does(world: World) -> None:
    for bonder, aggregator in product(ShownState, ShownState):
        say(world.dhcp_leg, bonder=bonder, aggregator=aggregator, at=world.now)

        wanted = combined(offline=False, aggregator=aggregator, bonder=bonder)
        assert state_of(world.dhcp_leg, world.now) == wanted, (bonder, aggregator)


def test_an_offline_leg_reads_offline_at_once(world: World) -> None:
    say(world.dhcp_leg, bonder="up", aggregator="up", at=world.now)

    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="offline")

    assert state_of(world.dhcp_leg, world.now) == "offline"


def test_an_end_that_fell_silent_counts_as_unknown(world: World) -> None:
    say(world.dhcp_leg, bonder="down", aggregator="up", at=world.now)
    LegReport.objects.update(bonder_reported=world.now - timedelta(seconds=TIMEOUT + 1))

    assert state_of(world.dhcp_leg, world.now) == "up"
    assert state_of(world.dhcp_leg, world.now + timedelta(hours=1)) == "unknown"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("up", "up"),
        ("adjusted", "up"),
        ("unhealthy", "up"),
        ("failover", "up"),
        ("idle", "down"),
        ("testing", "down"),
        ("handshaking", "down"),
        ("removed", "down"),
        ("down", "down"),
        ("unknown", "down"),
    ],
)
def test_a_bond_is_up_while_a_leg_carries_customer_traffic(
    world: World, state: str, status: str
) -> None:
    assert status_of(world.bond, world.now) == "unknown"
    Bonder.objects.filter(pk=world.bonder.pk).update(last_connected=world.now)

    say(world.dhcp_leg, bonder=state, aggregator=state, at=world.now)

    assert status_of(world.bond, world.now) == status


def test_rates_are_zero_without_a_fresh_report(world: World) -> None:
    report = world.bond.report
    report.download_rate, report.upload_rate, report.reported = 18_350_400, 912_300, world.now
    report.save()

    def rates(now: datetime) -> tuple[int, int]:
        bonds = with_rates(Bond.objects.filter(pk=world.bond.pk), now=now, timeout_seconds=TIMEOUT)
        found: tuple[int, int] = bonds.values_list(F("download_rate"), F("upload_rate"))[0]
        return found

    assert rates(world.now) == (18_350_400, 912_300)
    assert rates(world.now + timedelta(seconds=TIMEOUT + 1)) == (0, 0)
