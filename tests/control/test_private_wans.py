"""Private WANs of spaces: what aggregators learn, when, and from whom (behaviour 5.8)."""

import pytest

from openbond.server.bonds.models import Bond, ConnectedIP
from openbond.server.bonds.services import (
    create_bond,
    create_connected_ip,
    move_bond,
    update_connected_ip,
    update_space,
)
from openbond.server.control.publish import content_of
from openbond.server.control.rows import peers_of
from openbond.server.fleet.models import Trunk
from openbond.server.fleet.services import create_aggregator
from openbond.server.system.actors import SERVER
from openbond.wire.config import PrivateNetworkConfig
from tests.world import World, nodes_to_update, settle_updates

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_sites(world: World) -> World:
    """Acme has site-1 on home and site-2 on away; Globex has the same networks on home."""
    make_site(world.bond, "10.1.0.1/24")
    second = create_bond(by=SERVER, aggregator=world.away, space=world.acme, name="site-2")
    make_site(second, "10.2.0.1/24")
    make_site(world.globex_bond, "10.2.0.1/24")
    for space in (world.acme, world.globex):
        update_space(by=SERVER, space=space, private_wan_enabled=True)
    settle_updates()
    return world


def make_site(bond: Bond, ip: str) -> ConnectedIP:
    address, prefix = ip.split("/")
    return create_connected_ip(
        by=SERVER, bond=bond, interface="eth0", ip=address, prefix=int(prefix)
    )


def second_bond() -> Bond:
    return Bond.objects.get(bonder__name="site-2")


def test_each_aggregator_learns_where_the_networks_of_its_spaces_are(two_sites: World) -> None:
    home, away = two_sites.home.pk, two_sites.away.pk

    at_home, at_away = content_of(home), content_of(away)

    acme = [
        PrivateNetworkConfig(network="10.1.0.0/24", bond_id=two_sites.bond.pk, node_id=home),
        PrivateNetworkConfig(network="10.2.0.0/24", bond_id=second_bond().pk, node_id=away),
    ]
    assert {wan.space_key: wan.networks for wan in at_away.private_wans} == {"acme": acme}
    assert {wan.space_key: wan.networks for wan in at_home.private_wans} == {
        "acme": acme,
        "globex": [
            PrivateNetworkConfig(
                network="10.2.0.0/24", bond_id=two_sites.globex_bond.pk, node_id=home
            )
        ],
    }
    assert all(bond.networks == [] for bond in (*at_home.bonds, *at_away.bonds))


def test_two_aggregators_of_a_space_get_one_trunk_with_one_secret(two_sites: World) -> None:
    (home,), (away,) = (content_of(node.pk).trunks for node in (two_sites.home, two_sites.away))

    assert (home.id, home.subnet, home.port, home.secret) == (
        away.id, away.subnet, away.port, away.secret,
    )  # fmt: skip
    assert (home.port, home.dials, away.dials) == (1999, False, True)
    assert (home.peer_ip, away.peer_ip) == ("198.51.100.20", "198.51.100.10")
    assert peers_of(two_sites.home).count(two_sites.away.pk) == 1


def test_what_changes_at_one_site_reaches_every_aggregator_of_the_space(two_sites: World) -> None:
    make_site(two_sites.bond, "10.3.0.1/24")

    assert nodes_to_update() == {"site-1", "home", "away"}


def test_a_change_in_a_space_without_private_wan_reaches_its_own_ends_only(world: World) -> None:
    create_bond(by=SERVER, aggregator=world.away, space=world.acme, name="site-2")
    settle_updates()

    make_site(world.bond, "10.3.0.1/24")

    assert nodes_to_update() == {"site-1", "home"}


def test_a_bond_that_moved_is_looked_for_at_its_new_aggregator(two_sites: World) -> None:
    third = create_aggregator(by=SERVER, name="third", ip="198.51.100.30", space=two_sites.root)
    create_bond(by=SERVER, aggregator=third, space=two_sites.acme, name="site-3")
    settle_updates()

    move_bond(by=SERVER, bond=two_sites.bond, to=two_sites.away, reason="test")

    assert nodes_to_update() == {"site-1", "home", "away", "third"}
    (wan,) = content_of(third.pk).private_wans
    found = {one.network: one.node_id for one in wan.networks}
    assert found["10.1.0.0/24"] == two_sites.away.pk
    assert Trunk.objects.count() == 3


def test_what_is_not_included_goes_to_the_core_as_ever(two_sites: World) -> None:
    row = ConnectedIP.objects.get(bond=two_sites.bond)
    update_connected_ip(
        by=SERVER, connected_ip=row, include_private_wan=False, agg_routing="always"
    )

    (bond,) = [one for one in content_of(two_sites.home.pk).bonds if one.id == two_sites.bond.pk]

    assert (bond.networks, bond.private_sources) == (["10.1.0.0/24"], [])
    assert bond.private_wan == two_sites.acme.pk


def test_of_equal_networks_in_a_space_one_bond_has_it_and_the_other_is_told(
    two_sites: World,
) -> None:
    make_site(second_bond(), "10.1.0.1/24")

    (wan,) = content_of(two_sites.away.pk).private_wans

    assert {one.network: one.bond_id for one in wan.networks}["10.1.0.0/24"] == two_sites.bond.pk
    assert [one.bond_id for one in wan.shadowed] == [second_bond().pk]
