from ipaddress import ip_interface

from openbond.node.agent.known import Known
from openbond.node.agent.tunnels import TunnelStates
from openbond.node.channel.ways import BY_OWN_ROUTING, Way, in_order
from openbond.node.linux.routes import has_default_route
from openbond.node.plan.facts import Lease, Machine
from openbond.node.plan.values import Observed
from openbond.wire.states import LinkMode, ShownState
from tests.node.samples import aggregator, bond, bonder, dhcp_leg, far_leg, static_leg

ONE, TWO = Way(1, source="192.0.2.1"), Way(2, source="192.0.2.2")
MOBILE = Way(3, source="192.0.2.3", is_mobile=True)
EVERY = [BY_OWN_ROUTING, MOBILE, TWO, ONE]
MACHINE = Machine("/key", "/hook", "/leases", ("tunnel",))


def test_mobile_legs_are_last_and_own_routing_after_them() -> None:
    assert in_order(EVERY, last_success=None) == [ONE, TWO, MOBILE, BY_OWN_ROUTING]


def test_what_worked_last_is_first_even_a_mobile_leg() -> None:
    assert in_order(EVERY, last_success=3) == [MOBILE, ONE, TWO, BY_OWN_ROUTING]


def test_a_leg_on_which_nothing_is_heard_is_tried_after_the_others() -> None:
    assert in_order(EVERY, last_success=1, silent={1}) == [TWO, MOBILE, BY_OWN_ROUTING, ONE]


def test_an_aggregator_uses_the_machines_own_routing() -> None:
    assert Known(MACHINE).ways(aggregator(bond(legs=[far_leg()]))) == [BY_OWN_ROUTING]


def test_before_the_first_config_there_is_only_own_routing() -> None:
    assert Known(MACHINE).ways(None) == [BY_OWN_ROUTING]


def test_a_bonder_uses_every_leg_that_has_an_address_and_is_not_offline() -> None:
    known = Known(MACHINE)
    known.leases = {22: Lease(ip="198.51.100.7", prefix=24, obtained=0, seconds=9)}
    idle = static_leg(24, "eth4", ip="192.0.2.4", mode=LinkMode.IDLE)
    offline = static_leg(25, "eth5", mode=LinkMode.OFFLINE)
    waiting = dhcp_leg(23, "eth3")

    ways = known.ways(bonder(bond(legs=[static_leg(), dhcp_leg(), waiting, idle, offline])))

    legs = [(way.leg_id, way.source, way.interface) for way in ways if way.leg_id]
    assert legs == [
        (21, "192.0.2.2", "eth1"),
        (22, "198.51.100.7", "eth2"),
        (24, "192.0.2.4", "eth4"),
    ]


def test_a_dhcp_leg_asks_the_name_servers_of_its_own_lease() -> None:
    known = Known(MACHINE)
    servers = ["198.51.100.53"]
    known.leases = {
        22: Lease(ip="198.51.100.7", prefix=24, obtained=0, seconds=9, name_servers=servers)
    }

    (way, *_) = known.ways(bonder(bond(legs=[dhcp_leg()])))

    assert way.name_servers == ("198.51.100.53",)


def test_a_default_route_is_found_in_the_kernels_table() -> None:
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    lan = "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    default = "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"

    assert has_default_route(head + lan + default)
    assert not has_default_route(head + lan)
    assert not has_default_route("")


def test_while_no_leg_is_heard_silence_tells_nothing() -> None:
    tunnels = TunnelStates()
    tunnels.set_legs(7, {1: ShownState.DOWN, 2: ShownState.HANDSHAKING}, now=0.0)
    assert tunnels.silent_legs() == frozenset()

    tunnels.set_leg(7, 2, ShownState.TESTING, now=1.0)

    assert tunnels.silent_legs() == {1}


def test_a_bond_is_up_while_one_leg_is_and_remembers_when() -> None:
    tunnels = TunnelStates()
    tunnels.set_legs(7, {1: ShownState.UP, 2: ShownState.DOWN}, now=10.0)
    tunnels.set_leg(7, 1, ShownState.DOWN, now=20.0)

    assert not tunnels.is_up(7)
    assert tunnels.last_up([7, 8], now=50.0) == 20.0
    tunnels.set_leg(7, 2, ShownState.FAILOVER, now=60.0)
    assert tunnels.last_up([7], now=70.0) == 70.0


def test_legs_of_a_bond_that_left_count_no_more() -> None:
    tunnels = TunnelStates()
    tunnels.set_legs(7, {1: ShownState.UP}, now=10.0)

    tunnels.forget_others([])

    assert tunnels.last_up([7], now=20.0) is None


def test_an_aggregator_knows_its_own_addresses_by_what_others_set() -> None:
    known = Known(MACHINE)
    content = aggregator(bond(legs=[far_leg()]))
    observed = Observed(foreign_addresses=frozenset({("eth0", ip_interface("203.0.113.1/24"))}))

    assert known.look_at(observed)
    assert not known.look_at(observed)
    assert known.facts(content, now=0.0).own_addresses == {"203.0.113.1"}
