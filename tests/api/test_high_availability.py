"""High availability by API, as integrators do it (04-routing.md, 1 to 4; behaviour 5.4 and 5.11).

A site has two bonders, `site-1` and `twin`, each with a bond of its own. Three floating objects
stand on both bonds and are enabled on one:

    connected IP   203.0.113.9/29      the router's address towards the customer
    route          203.0.113.32/28     a network behind the customer's own router, 203.0.113.10
    CPE NAT IP     203.0.113.17        translated to 192.168.10.2, a host of the private LAN

The private LAN (192.168.10.0/24) is enabled on both: VRRP runs there. The bonder that becomes
master moves the floating objects with nothing but PATCH `enabled`, by an account that may change
routing objects and no more:

    PATCH …/bonds/1/cpe_nat_ips/2/    {"enabled": false}
    PATCH …/bonds/1/routes/4/         {"enabled": false}
    PATCH …/bonds/1/connected_ips/6/  {"enabled": false}
    PATCH …/bonds/9/connected_ips/7/  {"enabled": true}
    PATCH …/bonds/9/cpe_nat_ips/3/    {"enabled": true}
    PATCH …/bonds/9/routes/5/         {"enabled": true}

Switching off is always accepted. Switching on is accepted once nothing enabled on another bond is
in the way; else the answer is 400 with the reason on `enabled`, and nothing has changed.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import (
    create_bond,
    create_cpe_nat_ip,
    create_route,
    update_bond,
)
from openbond.server.control.publish import content_of
from openbond.server.fleet.models import Node
from openbond.server.fleet.services import create_aggregator, create_routing_group
from openbond.server.ipam.models import NetworkUse
from openbond.server.system.actors import SERVER
from tests.server.bonds.routing_world import connect, create_networks
from tests.world import World, nodes_to_update, settle_updates

JSON = "application/json"
KINDS = ("connected_ips", "cpe_nat_ips", "routes")
ORDERS = [pytest.param(order, id=", ".join(order)) for order in permutations(KINDS)]
IN_USE = {"enabled": ["An enabled object uses this public address or network already."]}
FLOATING = {"203.0.113.8/29", "203.0.113.17/32", "203.0.113.32/28"}


@dataclass
class Pair:
    """Two bonds at one site; `urls` are where the floating objects of each stand, by kind."""

    world: World
    first: Bond  # on home, with away as its secondary; its objects are enabled
    twin: Bond  # on away
    urls: dict[int, dict[str, str]]

    def switch(self, bond: Bond, kind: str, *, on: bool) -> Any:
        """Do what a client does: one PATCH of `enabled` alone."""
        client = self.world.client("ana")
        return client.patch(self.urls[bond.pk][kind], {"enabled": on}, JSON)

    def enabled(self) -> dict[str, set[str]]:
        """Return the floating kinds that are enabled, by the name of the bond."""
        client = self.world.client("admin")
        return {
            bond.name: {
                kind
                for kind, url in self.urls[bond.pk].items()
                if client.get(url).json()["enabled"]
            }
            for bond in (self.first, self.twin)
        }


@pytest.fixture
def pair(world: World) -> Pair:
    create_networks(world)
    twin = create_bond(by=SERVER, aggregator=world.away, space=world.acme, name="twin")
    urls = {}
    for bond, enabled in ((world.bond, True), (twin, False)):
        connect(bond, "192.168.10.1", 24, "eth5")
        rows = {
            "connected_ips": connect(bond, "203.0.113.9", 29, enabled=enabled),
            "routes": create_route(
                by=SERVER,
                bond=bond,
                network="203.0.113.32/28",
                gateway="203.0.113.10",
                enabled=enabled,
            ),
            "cpe_nat_ips": create_cpe_nat_ip(
                by=SERVER, bond=bond, ip="203.0.113.17", dest_nat_ip="192.168.10.2", enabled=enabled
            ),
        }
        urls[bond.pk] = {
            kind: f"/api/v3/bonds/{bond.pk}/{kind}/{row.pk}/" for kind, row in rows.items()
        }
    settle_updates()
    world.restrict("ana", "change_connectedip", "change_cpenatip", "change_route")
    return Pair(world, world.bond, twin, urls)


@pytest.mark.parametrize("order", ORDERS)
def test_all_off_there_then_all_on_here_is_accepted_in_any_order_of_kinds(
    pair: Pair, order: tuple[str, ...]
) -> None:
    for kind in order:
        off = pair.switch(pair.first, kind, on=False)
        assert (off.status_code, off.json()["enabled"]) == (200, False), kind
    told_to_release = nodes_to_update()
    released = pair.enabled()
    settle_updates()

    for kind in order:
        on = pair.switch(pair.twin, kind, on=True)
        assert (on.status_code, on.json()["enabled"]) == (200, True), kind

    assert told_to_release == {"site-1", "home"}
    assert released == {"site-1": set(), "twin": set()}
    assert nodes_to_update() == {"twin", "away"}
    assert pair.enabled() == {"site-1": set(), "twin": set(KINDS)}


@pytest.mark.parametrize("order", ORDERS)
def test_object_by_object_is_accepted_where_none_lies_in_another(
    pair: Pair, order: tuple[str, ...]
) -> None:
    for kind in order:
        assert pair.switch(pair.first, kind, on=False).status_code == 200, kind
        assert pair.switch(pair.twin, kind, on=True).status_code == 200, kind

    assert pair.enabled() == {"site-1": set(), "twin": set(KINDS)}
    assert nodes_to_update() == {"site-1", "home", "twin", "away"}


@pytest.mark.parametrize("kind", KINDS)
def test_on_here_before_off_there_is_refused_and_changes_nothing(pair: Pair, kind: str) -> None:
    before = list(NetworkUse.objects.order_by("id").values())

    for _ in range(2):
        refused = pair.switch(pair.twin, kind, on=True)
        assert (refused.status_code, refused.json()) == (400, IN_USE)

    assert pair.enabled() == {"site-1": set(KINDS), "twin": set()}
    assert nodes_to_update() == set()
    assert list(NetworkUse.objects.order_by("id").values()) == before


def test_an_address_inside_a_network_waits_until_that_network_is_off_there_too(
    pair: Pair,
) -> None:
    """Object by object is a wrong order for a CPE NAT IP that lies in the connected network."""
    inside = {"ip": "203.0.113.12"}
    for url in (pair.urls[pair.first.pk]["cpe_nat_ips"], pair.urls[pair.twin.pk]["cpe_nat_ips"]):
        assert pair.world.client("ana").patch(url, inside, JSON).status_code == 200
    settle_updates()

    pair.switch(pair.first, "cpe_nat_ips", on=False)
    too_early = pair.switch(pair.twin, "cpe_nat_ips", on=True)
    pair.switch(pair.first, "connected_ips", on=False)
    in_time = pair.switch(pair.twin, "cpe_nat_ips", on=True)

    assert (too_early.status_code, too_early.json()) == (400, IN_USE)
    assert in_time.status_code == 200
    assert pair.enabled() == {"site-1": {"routes"}, "twin": {"cpe_nat_ips"}}


def test_there_and_back_again_with_every_step_repeated(pair: Pair) -> None:
    """A client repeats a step whose answer it lost; the second time nothing is told again."""
    for gives, takes in ((pair.first, pair.twin), (pair.twin, pair.first)):
        for bond, on, kinds in (
            (gives, False, ("cpe_nat_ips", "routes", "connected_ips")),
            (takes, True, ("connected_ips", "cpe_nat_ips", "routes")),
        ):
            for kind in kinds:
                once = pair.switch(bond, kind, on=on)
                settle_updates()
                again = pair.switch(bond, kind, on=on)
                assert (once.status_code, again.status_code) == (200, 200)
                assert again.json() == once.json()
                assert again["ETag"] == once["ETag"]
                assert nodes_to_update() == set()

    assert pair.enabled() == {"site-1": set(KINDS), "twin": set()}


def test_the_four_nodes_are_given_what_the_master_serves(pair: Pair) -> None:
    def served() -> dict[str, set[str]]:
        """Return the floating networks in the config of each node."""
        found = {}
        for name in ("site-1", "home", "twin", "away"):
            (bond,) = [
                bond
                for bond in content_of(Node.objects.get(name=name).pk).bonds
                if bond.id in pair.urls
            ]
            networks = {
                *bond.networks,
                *(route.network for route in bond.routes),
                *(f"{nat.ip}/32" for nat in bond.cpe_nat_ips),
                *("203.0.113.8/29" for one in bond.connected_ips if one.ip == "203.0.113.9"),
            }
            found[name] = networks & FLOATING
        return found

    before = served()
    for bond, on in ((pair.first, False), (pair.twin, True)):
        for kind in KINDS:
            pair.switch(bond, kind, on=on)

    assert before == {"site-1": FLOATING, "home": FLOATING, "twin": set(), "away": set()}
    assert served() == {"site-1": set(), "home": set(), "twin": FLOATING, "away": FLOATING}


def test_where_the_networks_are_not_valid_they_stay_off(pair: Pair) -> None:
    """The twin's aggregator was exchanged while nothing was enabled there (rule R2)."""
    group = create_routing_group(by=SERVER, name="elsewhere", space=pair.world.root)
    elsewhere = create_aggregator(
        by=SERVER, name="far", ip="198.51.100.30", space=pair.world.root, routing_group=group
    )
    update_bond(by=SERVER, bond=pair.twin, aggregator=elsewhere)
    for kind in KINDS:
        pair.switch(pair.first, kind, on=False)

    refused = {kind: pair.switch(pair.twin, kind, on=True) for kind in KINDS}

    words = "203.0.113.0/25 is not valid at the routing group 'elsewhere'."
    for kind, field in (("connected_ips", "ip"), ("cpe_nat_ips", "ip"), ("routes", "network")):
        assert (refused[kind].status_code, refused[kind].json()) == (400, {field: [words]})
        assert pair.switch(pair.twin, kind, on=False).status_code == 200
    assert pair.enabled() == {"site-1": set(), "twin": set()}
    for kind in KINDS:
        assert pair.switch(pair.first, kind, on=True).status_code == 200


def test_the_account_can_do_nothing_else(pair: Pair) -> None:
    """Three codes suffice; what they do not name is refused, and other spaces do not exist."""
    ana, gil = pair.world.client("ana"), pair.world.client("gil")
    bond = f"/api/v3/bonds/{pair.first.pk}/"

    for kind, url in pair.urls[pair.first.pk].items():
        for method, path in (("GET", url), ("DELETE", url), ("POST", f"{bond}{kind}/")):
            answer = ana.generic(method, path, "{}", content_type=JSON)
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
        assert gil.patch(url, {"enabled": False}, JSON).status_code == 404
    for method in ("GET", "PATCH", "DELETE"):
        assert ana.generic(method, bond, "{}", content_type=JSON).status_code == 403

    assert pair.enabled() == {"site-1": set(KINDS), "twin": set()}
    assert nodes_to_update() == set()


def test_it_works_while_a_bond_is_tuned(pair: Pair) -> None:
    Bond.objects.update(tuning_in_progress=True)

    for bond, on in ((pair.first, False), (pair.twin, True)):
        for kind in KINDS:
            assert pair.switch(bond, kind, on=on).status_code == 200


@pytest.mark.parametrize("value", ["false", 0, "off"])
def test_a_shell_script_may_write_it_as_it_likes(pair: Pair, value: object) -> None:
    url = pair.urls[pair.first.pk]["routes"]

    as_json = pair.world.client("ana").patch(url, {"enabled": value}, JSON)
    as_form = pair.world.client("ana").patch(
        url, f"enabled={value}", content_type="application/x-www-form-urlencoded"
    )

    assert (as_json.status_code, as_form.status_code) == (200, 200)
    assert pair.enabled()["site-1"] == {"connected_ips", "cpe_nat_ips"}
