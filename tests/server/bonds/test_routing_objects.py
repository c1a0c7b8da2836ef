"""Connected IPs, CPE NAT IPs and routes against R1 to R8 (api-v3 04-routing 1 to 4)."""

from typing import Any

import pytest

from openbond.server.bonds.models import Bond, ConnectedIP
from openbond.server.bonds.services import (
    create_bond,
    create_connected_ip,
    create_cpe_nat_ip,
    create_route,
    delete_connected_ip,
    delete_cpe_nat_ip,
    delete_route,
    update_connected_ip,
    update_cpe_nat_ip,
    update_route,
)
from openbond.server.errors import InUse, InvalidFields
from openbond.server.ipam.models import IPAllocation, NetworkUse
from openbond.server.system.actors import SERVER
from tests.world import World, nodes_to_update, settle_updates

from .routing_world import Networks, connect, create_networks


@pytest.fixture
def networks(world: World) -> Networks:
    return create_networks(world)


@pytest.fixture
def twin(world: World, networks: Networks) -> Bond:
    """A second bond of Acme, as at a site with two bonders."""
    return create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="twin")


class TestAllocation:
    """R1 and R2."""

    def test_a_public_network_of_the_space_is_taken_and_both_ends_told(
        self, world: World, networks: Networks
    ) -> None:
        row = connect(world.bond, "203.0.113.1", 30)

        assert row.network == "203.0.113.0/30"
        assert nodes_to_update() == {"site-1", "home"}

    @pytest.mark.parametrize(
        ("ip", "prefix", "words"),
        [
            pytest.param("198.18.0.1", 24, "does not lie inside", id="held by nobody"),
            pytest.param("203.0.113.129", 30, "does not lie inside", id="held by another space"),
            pytest.param("203.0.113.1", 23, "does not lie inside", id="partly held"),
            pytest.param("203.0.113.65", 30, "delegated to a child", id="given to a child"),
        ],
    )
    def test_another_public_network_is_refused(
        self, world: World, networks: Networks, ip: str, prefix: int, words: str
    ) -> None:
        with pytest.raises(InvalidFields) as refusal:
            connect(world.bond, ip, prefix, enabled=False)

        assert words in refusal.value.fields["ip"][0]

    def test_it_must_be_valid_where_the_aggregators_are(
        self, world: World, networks: Networks
    ) -> None:
        networks.whole.assignments.all().delete()

        with pytest.raises(InvalidFields) as refusal:
            connect(world.bond, "203.0.113.1", 30)

        assert "not valid at the routing group 'Default group'" in refusal.value.fields["ip"][0]

    @pytest.mark.parametrize(("ip", "prefix"), [("192.168.1.1", 24), ("2001:db8::1", 64)])
    def test_private_and_ipv6_networks_need_no_allocation(
        self, world: World, ip: str, prefix: int
    ) -> None:
        assert connect(world.bond, ip, prefix).enabled

    def test_it_is_asked_again_when_enabled_but_not_when_disabled(
        self, world: World, networks: Networks
    ) -> None:
        row = connect(world.bond, "203.0.113.1", 30)
        networks.whole.assignments.all().delete()

        update_connected_ip(by=SERVER, connected_ip=row, enabled=True, note="as it was")
        update_connected_ip(by=SERVER, connected_ip=row, enabled=False)
        with pytest.raises(InvalidFields) as refusal:
            update_connected_ip(by=SERVER, connected_ip=row, enabled=True)

        assert set(refusal.value.fields) == {"ip"}
        row.refresh_from_db()
        assert not row.enabled

    def test_a_route_and_a_cpe_nat_ip_are_asked_too(self, world: World, networks: Networks) -> None:
        connect(world.bond, "192.168.10.1", 24)

        with pytest.raises(InvalidFields) as nat:
            create_cpe_nat_ip(
                by=SERVER, bond=world.bond, ip="203.0.113.200", dest_nat_ip="192.168.10.2"
            )
        with pytest.raises(InvalidFields) as route:
            create_route(
                by=SERVER, bond=world.bond, network="203.0.113.192/28", gateway="192.168.10.9"
            )

        assert set(nat.value.fields) == {"ip"}
        assert set(route.value.fields) == {"network"}


class TestConflicts:
    """R3 and R4: once enabled."""

    def test_the_same_public_address_stands_on_two_bonds_and_is_enabled_on_one(
        self, world: World, twin: Bond
    ) -> None:
        first = connect(world.bond, "203.0.113.1", 30)
        second = connect(twin, "203.0.113.1", 30, enabled=False)

        with pytest.raises(InvalidFields) as refusal:
            update_connected_ip(by=SERVER, connected_ip=second, enabled=True)
        update_connected_ip(by=SERVER, connected_ip=first, enabled=False)
        update_connected_ip(by=SERVER, connected_ip=second, enabled=True)

        assert set(refusal.value.fields) == {"enabled"}
        assert "site-1" not in str(refusal.value.fields)

    def test_networks_of_different_bonds_may_not_overlap_while_routed(
        self, world: World, twin: Bond
    ) -> None:
        connect(world.bond, "203.0.113.1", 28)

        with pytest.raises(InvalidFields) as refusal:
            connect(twin, "203.0.113.5", 30)
        never = create_connected_ip(
            by=SERVER,
            bond=twin,
            interface="eth0",
            ip="203.0.113.5",
            prefix=30,
            agg_routing="never",
        )
        with pytest.raises(InvalidFields):
            update_connected_ip(by=SERVER, connected_ip=never, agg_routing="auto")

        assert set(refusal.value.fields) == {"enabled"}

    def test_on_one_bond_networks_may_overlap_but_not_addresses(
        self, world: World, networks: Networks
    ) -> None:
        connect(world.bond, "203.0.113.1", 28)
        connect(world.bond, "192.168.10.1", 24)
        create_cpe_nat_ip(by=SERVER, bond=world.bond, ip="203.0.113.9", dest_nat_ip="192.168.10.2")

        with pytest.raises(InvalidFields) as refusal:
            create_cpe_nat_ip(
                by=SERVER, bond=world.bond, ip="203.0.113.1", dest_nat_ip="192.168.10.3"
            )

        assert set(refusal.value.fields) == {"enabled"}

    def test_private_networks_repeat_freely(self, world: World, twin: Bond) -> None:
        connect(world.bond, "192.168.10.1", 24)

        assert connect(twin, "192.168.10.1", 24).enabled

    def test_public_ipv6_conflicts_too(self, world: World, twin: Bond) -> None:
        connect(world.bond, "2001:db8::1", 64)

        with pytest.raises(InvalidFields) as refusal:
            connect(twin, "2001:db8::2", 64)

        assert set(refusal.value.fields) == {"enabled"}

    def test_a_pair_of_bonders_moves_its_addresses_in_order(self, world: World, twin: Bond) -> None:
        objects = {}
        for bond, enabled in ((world.bond, True), (twin, False)):
            connect(bond, "192.168.10.1", 24, "eth5")
            objects[bond.pk] = (
                connect(bond, "203.0.113.1", 30, enabled=enabled),
                create_route(
                    by=SERVER,
                    bond=bond,
                    network="203.0.113.32/28",
                    gateway="203.0.113.2",
                    enabled=enabled,
                ),
                create_cpe_nat_ip(
                    by=SERVER,
                    bond=bond,
                    ip="203.0.113.17",
                    dest_nat_ip="192.168.10.2",
                    enabled=enabled,
                ),
            )
        settle_updates()

        for bond, enabled in ((world.bond, False), (twin, True)):
            connected_ip, route, nat = objects[bond.pk]
            update_cpe_nat_ip(by=SERVER, cpe_nat_ip=nat, enabled=enabled)
            update_route(by=SERVER, route=route, enabled=enabled)
            update_connected_ip(by=SERVER, connected_ip=connected_ip, enabled=enabled)

        enabled_uses = NetworkUse.objects.filter(is_enabled=True, is_public=True)
        assert set(enabled_uses.values_list("bond_id", flat=True)) == {twin.pk}
        assert nodes_to_update() == {"site-1", "twin", "home"}


class TestOneBond:
    """What may be enabled together on one bond, and R5 to R7."""

    def test_the_same_object_is_enabled_once(self, world: World) -> None:
        connect(world.bond, "192.168.10.1", 24)
        nat: dict[str, Any] = {"ip": "203.0.113.9", "dest_nat_ip": "192.168.10.2"}
        route: dict[str, Any] = {"network": "192.168.20.0/24", "gateway": "192.168.10.254"}
        create_networks(world)
        create_cpe_nat_ip(by=SERVER, bond=world.bond, **nat)
        create_route(by=SERVER, bond=world.bond, **route)

        for write in (
            lambda: connect(world.bond, "192.168.10.1", 25),
            lambda: create_cpe_nat_ip(by=SERVER, bond=world.bond, **{**nat, "ip": "203.0.113.8"}),
            lambda: create_route(by=SERVER, bond=world.bond, **route),
        ):
            with pytest.raises(InvalidFields) as refusal:
                write()
            assert set(refusal.value.fields) == {"enabled"}

    def test_interfaces_do_not_overlap_while_enabled(self, world: World) -> None:
        connect(world.bond, "192.168.10.1", 24)

        with pytest.raises(InvalidFields) as refusal:
            connect(world.bond, "192.168.10.129", 25, "eth5")
        other = connect(world.bond, "192.168.10.129", 25, "eth5", enabled=False)
        connect(world.bond, "192.168.10.2", 24, "eth0")

        assert set(refusal.value.fields) == {"enabled"}
        assert not other.enabled

    def test_the_interface_is_none_of_the_legs(self, world: World) -> None:
        with pytest.raises(InvalidFields) as refusal:
            connect(world.bond, "192.168.10.1", 24, "eth1")

        assert set(refusal.value.fields) == {"interface"}

    def test_repeating_the_present_value_writes_nothing(self, world: World) -> None:
        row = connect(world.bond, "192.168.10.1", 24)
        settle_updates()

        update_connected_ip(by=SERVER, connected_ip=row, enabled=True, prefix=24)

        assert nodes_to_update() == set()
        assert ConnectedIP.objects.get(pk=row.pk).modified == row.modified

    def test_what_others_hang_on_is_not_cut_off(self, world: World) -> None:
        lan = connect(world.bond, "192.168.10.1", 24)
        route = create_route(
            by=SERVER,
            bond=world.bond,
            network="192.168.20.0/24",
            gateway="192.168.10.254",
            enabled=False,
        )

        with pytest.raises(InUse):
            delete_connected_ip(by=SERVER, connected_ip=lan)
        with pytest.raises(InUse):
            update_connected_ip(by=SERVER, connected_ip=lan, prefix=25)
        update_connected_ip(by=SERVER, connected_ip=lan, prefix=23)
        update_connected_ip(by=SERVER, connected_ip=lan, enabled=False)

        delete_route(by=SERVER, route=route)
        delete_connected_ip(by=SERVER, connected_ip=lan)
        assert not NetworkUse.objects.exists()

    def test_another_connected_ip_may_take_over(self, world: World) -> None:
        lan = connect(world.bond, "192.168.10.1", 24)
        connect(world.bond, "192.168.10.2", 16, enabled=False)
        create_route(
            by=SERVER, bond=world.bond, network="192.168.20.0/24", gateway="192.168.10.254"
        )

        delete_connected_ip(by=SERVER, connected_ip=lan)

    def test_a_deleted_object_frees_its_address(self, world: World, twin: Bond) -> None:
        connect(world.bond, "192.168.10.1", 24)
        connect(twin, "192.168.10.1", 24)
        nat: dict[str, Any] = {"ip": "203.0.113.9", "dest_nat_ip": "192.168.10.2"}
        first = create_cpe_nat_ip(by=SERVER, bond=world.bond, **nat)

        delete_cpe_nat_ip(by=SERVER, cpe_nat_ip=first)

        assert create_cpe_nat_ip(by=SERVER, bond=twin, **nat).enabled


def test_the_index_of_uses_says_what_the_objects_say(world: World, networks: Networks) -> None:
    lan = connect(world.bond, "192.168.10.1", 24)
    public = connect(world.bond, "203.0.113.1", 30, "eth5")
    route = create_route(
        by=SERVER,
        bond=world.bond,
        network="203.0.113.32/28",
        gateway="192.168.10.9",
        agg_routing="never",
    )
    update_connected_ip(by=SERVER, connected_ip=public, ip="203.0.113.5", enabled=False)
    update_route(by=SERVER, route=route, network="203.0.113.48/28")

    found = NetworkUse.objects.order_by("kind", "object_id").values_list(
        "kind", "object_id", "network", "address", "is_public", "is_enabled", "is_routed"
    )

    assert list(found) == [
        ("connected_ip", lan.pk, "192.168.10.0/24", "192.168.10.1", False, True, True),
        ("connected_ip", public.pk, "203.0.113.4/30", "203.0.113.5", True, False, True),
        ("route", route.pk, "203.0.113.48/28", None, True, True, False),
    ]
    assert IPAllocation.objects.count() == 4
