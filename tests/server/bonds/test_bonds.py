"""Bonds (api-v3 02-bonds; behaviour 6.3)."""

import base64
import re
from typing import Any

import pytest

from openbond.server.bonds.models import Bond, BondReport, Leg
from openbond.server.bonds.services import (
    create_bond,
    create_connected_ip,
    create_leg,
    delete_bond,
    move_bond,
    restart_bond,
    restore_to_primary,
    update_bond,
    update_bonder,
    update_leg,
)
from openbond.server.errors import (
    InvalidFields,
    NoTunnelSubnet,
    PrimaryFailed,
    TuningInProgress,
    Vanished,
)
from openbond.server.fleet.models import Aggregator, Bonder, ConfigUpdate, Tombstone
from openbond.server.ipam.models import NetworkUse
from openbond.server.qos.models import QosProfile
from openbond.server.spaces.services import write_space
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry, Settings
from openbond.server.system.services import update_settings
from openbond.wire.states import LegType
from tests.world import World, nodes_to_update, settle_updates


def fail(aggregator: Aggregator) -> None:
    Aggregator.objects.filter(pk=aggregator.pk).update(failed=True)
    aggregator.refresh_from_db()


def away(world: World) -> Bond:
    """The bond of Acme after its primary failed and it was moved."""
    return move_bond(by=SERVER, bond=world.bond, to=world.away, reason="failover")


def test_the_least_bond_has_an_aggregator_and_a_space(world: World) -> None:
    settle_updates()

    bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme)

    assert re.fullmatch("default-[a-z0-9]{8}", bond.name)
    assert re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", bond.bonder.key)
    assert bond.bonder.space == bond.space
    assert bond.current_aggregator == world.home
    assert len(base64.b64decode(bond.secret)) == 32
    assert BondReport.objects.filter(bond=bond).exists()
    assert nodes_to_update() == {bond.name, "home"}


def test_a_new_bond_starts_on_its_secondary_if_the_primary_has_failed(world: World) -> None:
    fail(world.home)

    bond = create_bond(
        by=SERVER, aggregator=world.home, secondary_aggregator=world.away, space=world.acme
    )

    assert bond.current_aggregator == world.away


def test_tunnel_subnets_are_the_lowest_free(world: World) -> None:
    assert world.bond.tunnel_subnet == "240.0.0.0/31"
    assert world.globex_bond.tunnel_subnet == "240.0.0.2/31"
    third = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
    delete_bond(by=SERVER, bond=world.globex_bond)

    again = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
    after = create_bond(by=SERVER, aggregator=world.home, space=world.acme)

    assert third.tunnel_subnet == "240.0.0.4/31"
    assert again.tunnel_subnet == "240.0.0.2/31"
    assert (after.tunnel_bonder_ip, after.tunnel_aggregator_ip) == ("240.0.0.6", "240.0.0.7")


def test_the_first_subnet_is_found_again_when_it_is_free(world: World) -> None:
    delete_bond(by=SERVER, bond=world.bond)

    bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme)

    assert bond.tunnel_subnet == "240.0.0.0/31"


def test_a_full_tunnel_network_refuses_and_leaves_nothing(world: World) -> None:
    update_settings(by=SERVER)
    Settings.objects.update(tunnel_network="240.0.0.0/30")
    bonders = Bonder.objects.count()

    with pytest.raises(NoTunnelSubnet):
        create_bond(by=SERVER, aggregator=world.home, space=world.acme)

    assert Bonder.objects.count() == bonders


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": "SITE-1"}, {"name"}),
        ({"ping_interval": 1600}, {"ping_interval"}),
        ({"ping_timeout": 900}, {"ping_timeout"}),
        ({"ping_timeout": 900, "ping_interval": 500}, {"ping_timeout"}),
        ({"tcp_proxy": True, "tcp_proxy_ports": ""}, {"tcp_proxy_ports"}),
    ],
)
def test_settings_that_do_not_fit_are_refused_on_the_field_sent(
    world: World, changes: dict[str, Any], fields: set[str]
) -> None:
    other = create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="other")

    with pytest.raises(InvalidFields) as refusal:
        update_bond(by=SERVER, bond=other, **changes)
    with pytest.raises(InvalidFields):
        create_bond(
            by=SERVER,
            aggregator=world.home,
            space=world.acme,
            **changes,
        )

    assert set(refusal.value.fields) == fields


def test_the_secondary_is_another_one_than_the_primary(world: World) -> None:
    with pytest.raises(InvalidFields) as one:
        update_bond(by=SERVER, bond=world.bond, secondary_aggregator=world.home)
    with pytest.raises(InvalidFields) as other:
        update_bond(by=SERVER, bond=world.bond, aggregator=world.away)

    assert set(one.value.fields) == {"secondary_aggregator"}
    assert set(other.value.fields) == {"aggregator"}


def test_what_a_bond_names_must_be_usable_in_its_space(world: World) -> None:
    default = QosProfile.objects.get()
    update_bond(by=SERVER, bond=world.bond, qos_profile=default)
    off: Any = {"use_parent_aggregators": False, "use_parent_qos_profiles": False}
    write_space(by=SERVER, space=world.globex, changes=off)

    with pytest.raises(InvalidFields) as refusal:
        create_bond(
            by=SERVER,
            aggregator=world.home,
            secondary_aggregator=world.away,
            qos_profile=default,
            space=world.globex,
        )

    assert set(refusal.value.fields) == {"aggregator", "secondary_aggregator", "qos_profile"}


def test_a_change_tells_both_ends_and_a_name_only_the_bonder(world: World) -> None:
    settle_updates()
    update_bond(by=SERVER, bond=world.bond, note="hello", circuit_id="C-1", auto_accept=True)
    assert nodes_to_update() == set()

    update_bond(by=SERVER, bond=world.bond, name="clinic")
    assert nodes_to_update() == {"clinic"}

    update_bond(by=SERVER, bond=world.bond, compression=True)
    assert nodes_to_update() == {"clinic", "home"}
    assert set(ConfigUpdate.objects.values_list("bond_id", flat=True)) == {world.bond.pk}


def test_the_name_is_one_value_on_bond_and_bonder(world: World) -> None:
    before = Bond.objects.get(pk=world.bond.pk).modified

    update_bonder(by=SERVER, bonder=world.bonder, name="clinic")
    renamed = Bond.objects.get(pk=world.bond.pk)
    assert (renamed.name, renamed.modified > before) == ("clinic", True)

    update_bond(by=SERVER, bond=world.bond, name="hospital")
    world.bonder.refresh_from_db()
    assert world.bonder.name == "hospital"


def test_nothing_changed_is_nothing_written(world: World) -> None:
    settle_updates()
    before = Bond.objects.get(pk=world.bond.pk)
    entries = AuditEntry.objects.count()

    update_bond(by=SERVER, bond=world.bond, name="site-1", aggregator=world.home, compression=False)
    update_bond(by=SERVER, bond=world.bond)

    assert Bond.objects.get(pk=world.bond.pk).modified == before.modified
    assert AuditEntry.objects.count() == entries
    assert nodes_to_update() == set()


def test_a_move_to_a_new_primary_tells_all_three(world: World) -> None:
    third = world.away
    update_bond(by=SERVER, bond=world.bond, secondary_aggregator=None)
    settle_updates()

    bond = update_bond(by=SERVER, bond=world.bond, aggregator=third)

    assert bond.current_aggregator == third
    assert nodes_to_update() == {"site-1", "home", "away"}


def test_a_bond_away_stays_away_when_its_primary_changes(world: World) -> None:
    bond = away(world)
    settle_updates()

    bond = update_bond(by=SERVER, bond=bond, note="still away")
    assert bond.current_aggregator == world.away

    bond = update_bond(by=SERVER, bond=bond, secondary_aggregator=None)
    assert bond.current_aggregator == world.home
    assert nodes_to_update() == {"site-1", "home", "away"}


def test_restore_moves_home_once_the_primary_is_well(world: World) -> None:
    bond = away(world)
    fail(world.home)
    with pytest.raises(PrimaryFailed):
        restore_to_primary(by=SERVER, bond=bond)
    Aggregator.objects.update(failed=False)
    settle_updates()
    modified = Bond.objects.get(pk=bond.pk).modified

    restored = restore_to_primary(by=SERVER, bond=bond)

    assert restored.current_aggregator == world.home
    assert nodes_to_update() == {"site-1", "home", "away"}
    assert Bond.objects.get(pk=bond.pk).modified == modified

    settle_updates()
    restore_to_primary(by=SERVER, bond=bond)
    assert nodes_to_update() == set()


def test_a_move_puts_the_new_aggregator_before_the_others(world: World) -> None:
    settle_updates()

    away(world)

    order = [update.node.name for update in ConfigUpdate.objects.order_by("id")]
    assert order == ["away", "site-1", "home"]


def test_restarts_that_wait_are_one_restart(world: World) -> None:
    settle_updates()

    restart_bond(by=SERVER, bond=world.bond)
    restart_bond(by=SERVER, bond=world.bond)

    world.bond.refresh_from_db()
    assert world.bond.restart_count == 1
    assert ConfigUpdate.objects.count() == 2

    ConfigUpdate.objects.update(status="applied")
    restart_bond(by=SERVER, bond=world.bond)
    world.bond.refresh_from_db()
    assert world.bond.restart_count == 2


def test_deletion_takes_everything_of_the_bond_along(world: World) -> None:
    create_connected_ip(by=SERVER, bond=world.bond, interface="eth0", ip="10.1.1.1", prefix=24)
    settle_updates()
    bonder_id = world.bonder.pk

    delete_bond(by=SERVER, bond=world.bond)

    assert not Leg.objects.exists()
    assert not NetworkUse.objects.exists()
    assert not Bonder.objects.filter(pk=bonder_id).exists()
    assert Tombstone.objects.get(node_id=bonder_id).name == "site-1"
    assert nodes_to_update() == {"home"}


def test_ids_are_never_used_again(world: World) -> None:
    last = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
    leg = create_leg(
        by=SERVER, bond=last, type=LegType.DHCP, down_kbps=1, up_kbps=1, interface="eth1"
    )
    bond_id, leg_id = last.pk, leg.pk
    delete_bond(by=SERVER, bond=last)

    again = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
    leg = create_leg(
        by=SERVER, bond=again, type=LegType.DHCP, down_kbps=1, up_kbps=1, interface="eth1"
    )

    assert again.pk > bond_id
    assert leg.pk > leg_id


def test_a_bond_that_is_tuned_cannot_be_changed(world: World) -> None:
    Bond.objects.update(tuning_in_progress=True)

    for write in (
        lambda: update_bond(by=SERVER, bond=world.bond, note="x"),
        lambda: delete_bond(by=SERVER, bond=world.bond),
        lambda: restart_bond(by=SERVER, bond=world.bond),
        lambda: restore_to_primary(by=SERVER, bond=world.bond),
    ):
        with pytest.raises(TuningInProgress):
            write()

    update_bonder(by=SERVER, bonder=world.bonder, serial_number="SN-1")
    assert away(world).current_aggregator == world.away


def test_a_refused_change_changes_nothing(world: World) -> None:
    settle_updates()
    entries = AuditEntry.objects.count()

    with pytest.raises(InvalidFields):
        update_bond(by=SERVER, bond=world.bond, name="new", ping_timeout=200, compression=True)

    world.bond.refresh_from_db()
    assert (world.bond.bonder.name, world.bond.compression) == ("site-1", False)
    assert AuditEntry.objects.count() == entries
    assert nodes_to_update() == set()


def test_the_audit_says_who_what_before_and_after(world: World) -> None:
    ana = world.viewer("ana")
    ana.origin = "192.0.2.7"

    update_bond(by=ana, bond=world.bond, name="clinic", reorder_max_hold=200)

    entry = AuditEntry.objects.latest("id")
    assert (entry.actor_id, entry.actor_name, entry.origin) == (
        ana.user.pk,
        "ana@example.net",
        "192.0.2.7",
    )
    assert (entry.action, entry.kind, entry.object_id) == ("update", "bond", world.bond.pk)
    assert entry.before == {"name": "site-1", "reorder_max_hold": 150}
    assert entry.after == {"name": "clinic", "reorder_max_hold": 200}
    assert entry.space == world.acme


def test_a_bond_deleted_meanwhile_is_not_found(world: World) -> None:
    stale = Bond.objects.get(pk=world.bond.pk)
    leg, bonder = world.dhcp_leg, world.bonder
    delete_bond(by=SERVER, bond=world.bond)

    for write in (
        lambda: update_bond(by=SERVER, bond=stale, note="x"),
        lambda: delete_bond(by=SERVER, bond=stale),
        lambda: restart_bond(by=SERVER, bond=stale),
        lambda: update_leg(by=SERVER, leg=leg, note="x"),
        lambda: update_bonder(by=SERVER, bonder=bonder, serial_number="x"),
    ):
        with pytest.raises(Vanished):
            write()
