"""The plan in an operator's words: what is, what shall be, and the steps between."""

from dataclasses import replace
from ipaddress import IPv4Network, ip_address, ip_interface, ip_network
from textwrap import dedent

import msgspec
import pytest

from openbond.node.daemon_messages import DaemonSettings, LegLink, decode_settings
from openbond.node.linux.ethernet import mode_of
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import Add, Delete, Plan, Replace, Set, plan
from openbond.node.plan.facts import Facts, Lease, Machine
from openbond.node.plan.numbers import PROTOCOL
from openbond.node.plan.tunnels import inner_mtu
from openbond.node.plan.values import (
    Address,
    Desired,
    Device,
    Link,
    LinkMac,
    LinkMtu,
    LinkUp,
    Observed,
    Route,
    Ruleset,
    RunningProgram,
    Sysctl,
    Vlan,
)
from openbond.wire.config import NodeContent, RouteConfig
from openbond.wire.states import LinkMode, Security
from tests.node.samples import (
    aggregator,
    bond,
    bonder,
    connected_ip,
    dhcp_leg,
    far_leg,
    static_leg,
)

FACTS = Facts(Machine("/keys/tunnel.key", "/state/dhcp-hook", "/run/leases", ("tunnel", "--bond")))
LEASE = Lease(
    ip="198.51.100.7",
    prefix=24,
    obtained=1_000_000,
    seconds=3600,
    gateway="198.51.100.1",
    server="198.51.100.1",
    name_servers=["198.51.100.53"],
)
LINKS = {name: Link(name, up=True, carrier=True, mtu=1500) for name in ("eth1", "eth2", "lan0")}


def steps(
    content: NodeContent, facts: Facts = FACTS, observed: Observed | None = None
) -> list[str]:
    desired = desired_for(content, facts)
    found = plan(desired=desired, observed=observed or Observed(links=LINKS))
    return [str(step) for step in found.steps]


def of(kind: str, lines: list[str]) -> str:
    """Return the lines about one kind of thing, as they would be read aloud."""
    return "\n".join(line for line in lines if line.split()[1] == kind)


def text(words: str) -> str:
    return dedent(words).strip()


# -------------------------------------------------------------------------------------- a bonder


def test_two_legs_of_equal_networks_have_a_table_and_rules_each() -> None:
    lines = steps(bonder(bond(legs=[static_leg(21, "eth1"), static_leg(22, "eth2")])))

    leg_routes = [line for line in of("route", lines).splitlines() if " 1000000" in line]
    assert "\n".join(leg_routes) == text("""
        add route 192.0.2.0/24 dev eth1 src 192.0.2.2 table 100000021
        add route 0.0.0.0/0 via 192.0.2.1 dev eth1 src 192.0.2.2 table 100000021
        add route 0.0.0.0/0 unreachable metric 4278198272 table 100000021
        add route 192.0.2.0/24 dev eth2 src 192.0.2.2 table 100000022
        add route 0.0.0.0/0 via 192.0.2.1 dev eth2 src 192.0.2.2 table 100000022
        add route 0.0.0.0/0 unreachable metric 4278198272 table 100000022
    """)
    leg_rules = [line for line in of("rule", lines).splitlines() if " 1000000" in line]
    assert "\n".join(leg_rules) == text("""
        add rule 10100: oif eth1 lookup 100000021
        add rule 10200: from 192.0.2.2/32 lookup 100000021
        add rule 10100: oif eth2 lookup 100000022
        add rule 10200: from 192.0.2.2/32 lookup 100000022
    """)


def test_no_leg_gives_the_node_a_default_route() -> None:
    desired = desired_for(bonder(bond(legs=[static_leg(), dhcp_leg()])), with_lease())

    assert all(route.table != 254 for route in desired.routes)
    assert all(
        not address.has_network for address in desired.addresses if address.interface != "tun7"
    )


def test_what_customers_send_goes_into_the_tunnel_or_is_unreachable() -> None:
    site = bond(
        legs=[],
        connected_ips=[connected_ip()],
        routes=[RouteConfig(id=9, network="10.5.0.0/16", gateway="10.1.0.254")],
    )

    lines = [line for line in steps(bonder(site)) if "inet6" not in line and "::" not in line]

    assert of("route", lines) == text("""
        add route 10.1.0.0/24 dev lan0 src 10.1.0.1 table 200000007
        add route 10.5.0.0/16 via 10.1.0.254 dev lan0 table 200000007
        add route 0.0.0.0/0 dev tun7 src 10.1.0.1 table 200000007
        add route 0.0.0.0/0 unreachable metric 4278198272 table 200000007
    """)
    assert of("rule", lines) == text("""
        add rule 10300: iif lan0 lookup 200000007
        add rule 10500: from 10.1.0.1/32 lookup 200000007
        add rule 10500: from 240.0.0.0/32 lookup 200000007
        add rule 10400: iif tun7 lookup 200000007 suppress_prefixlength 0
        add rule 10401: iif tun7 unreachable
        add rule 32900: lookup 200000007
    """)


def test_a_route_whose_gateway_is_on_no_connected_ip_waits_with_a_warning() -> None:
    site = bond(legs=[], routes=[RouteConfig(id=9, network="10.5.0.0/16", gateway="10.1.0.254")])

    desired = desired_for(bonder(site), FACTS)

    assert ("route 9", "waits: the connected IP of its gateway 10.1.0.254 is not enabled") in (
        desired.warnings
    )


def with_lease(lease: Lease = LEASE) -> Facts:
    return replace(FACTS, leases={22: lease})


def test_a_dhcp_leg_without_a_lease_has_a_client_and_a_warning() -> None:
    content = bonder(bond(legs=[dhcp_leg()]))

    desired = desired_for(content, FACTS)

    assert "add program dhcp-22" in steps(content)
    assert ("leg 22", "no lease yet: no DHCP server has answered on its interface") in (
        desired.warnings
    )
    assert all(address.interface != "eth2" for address in desired.addresses)


def test_a_lease_gives_the_leg_its_address_and_table() -> None:
    lines = steps(bonder(bond(legs=[dhcp_leg()])), with_lease())

    assert "add address 198.51.100.7/24 dev eth2 noprefixroute" in lines
    assert "add route 0.0.0.0/0 via 198.51.100.1 dev eth2 src 198.51.100.7 table 100000022" in lines


def test_a_gateway_outside_the_legs_network_is_reached_on_the_interface() -> None:
    lease = msgspec.structs.replace(LEASE, prefix=32)

    lines = steps(bonder(bond(legs=[dhcp_leg()])), with_lease(lease))

    assert "add route 198.51.100.1/32 dev eth2 src 198.51.100.7 table 100000022" in lines


def test_an_offline_leg_is_not_brought_up_and_the_daemon_has_no_link_for_it() -> None:
    content = bonder(bond(legs=[static_leg(mode=LinkMode.OFFLINE), dhcp_leg()]))

    lines = steps(content)

    assert "set link eth1 down" in lines
    assert not any("eth1" in line for line in lines if line != "set link eth1 down")
    assert [link.leg_id for link in settings(content).links] == [22]


def test_the_operators_mac_and_mtu_are_set_before_the_leg_comes_up() -> None:
    leg = static_leg(interface_mac="02:00:00:00:00:AA", interface_mtu=1400)

    lines = steps(bonder(bond(legs=[leg])), observed=Observed(links={"eth1": down("eth1")}))

    wanted = [
        "set link eth1 address 02:00:00:00:00:aa",
        "set link eth1 mtu 1400",
        "set link eth1 up",
    ]
    assert [line for line in lines if line.startswith("set link eth1")] == wanted


def down(name: str) -> Link:
    return Link(name, up=False, carrier=False, mtu=1500, mac="02:00:00:00:00:01")


def settings(content: NodeContent, facts: Facts = FACTS) -> DaemonSettings:
    (file,) = desired_for(content, facts).files
    return decode_settings(file.text)


def test_the_daemon_of_a_bonder_learns_interface_address_and_peer_of_each_leg() -> None:
    found = settings(bonder(bond(legs=[static_leg(), dhcp_leg()])), with_lease())

    assert found.private_key == "/keys/tunnel.key"
    assert found.links == [
        near(21, "eth1", "192.0.2.2"),
        near(22, "eth2", "198.51.100.7"),
    ]


def near(leg_id: int, interface: str, source: str) -> LegLink:
    return LegLink(
        leg_id=leg_id,
        interface=interface,
        source=source,
        peer="203.0.113.1",
        peer_port=2000 + leg_id,
    )


# --------------------------------------------------------------------------------- an aggregator


@pytest.mark.parametrize(
    ("own", "source"),
    [
        pytest.param({"203.0.113.1"}, "203.0.113.1", id="its own address"),
        pytest.param({"10.0.0.9"}, "", id="behind a NAT: any"),
    ],
)
def test_an_aggregator_listens_where_bonders_speak_to(own: set[str], source: str) -> None:
    facts = replace(FACTS, own_addresses=frozenset(own))

    found = settings(aggregator(bond(legs=[far_leg(21)])), facts)

    assert found.links == [LegLink(leg_id=21, source=source, source_port=2021)]


def test_an_aggregator_routes_a_bonds_networks_into_its_tunnel() -> None:
    lines = steps(aggregator(bond(legs=[far_leg()], networks=["10.1.0.0/24"])))

    assert of("route", lines) == text("""
        add route 10.1.0.0/24 unreachable metric 4278198272 table 254
        add route 10.1.0.0/24 dev tun7 table 254
    """)


def test_a_bond_without_a_leg_up_is_withdrawn_but_answers_unreachable() -> None:
    facts = replace(FACTS, withdrawn=frozenset({7}))

    lines = steps(aggregator(bond(legs=[far_leg()], networks=["10.1.0.0/24"])), facts)

    assert of("route", lines) == ("add route 10.1.0.0/24 unreachable metric 4278198272 table 254")


def test_the_operator_may_give_the_bonds_networks_a_table_of_their_own() -> None:
    facts = replace(FACTS, machine=replace(FACTS.machine, route_table=55))

    desired = desired_for(aggregator(bond(legs=[], networks=["10.1.0.0/24"])), facts)

    assert {route.table for route in desired.routes} == {55}


# --------------------------------------------------------------------------------- the inner MTU


@pytest.mark.parametrize(
    ("security", "found", "mtu"),
    [
        pytest.param(Security.ENCRYPTION, None, 1436, id="unmeasured, with a tag"),
        pytest.param(Security.NONE, None, 1452, id="unmeasured, without"),
        pytest.param(Security.ENCRYPTION, 1336, 1336, id="as the daemon found it"),
    ],
)
def test_the_device_has_the_inner_mtu(security: Security, found: int | None, mtu: int) -> None:
    one = bond(legs=[static_leg()], security=security)
    facts = replace(FACTS, inner_mtus={7: found} if found else {})

    assert inner_mtu(one, facts) == mtu
    assert f"set link tun7 mtu {mtu}" in steps(bonder(one), facts)


def test_the_mss_clamp_follows_the_inner_mtu() -> None:
    content = bonder(bond(legs=[static_leg()]))
    before = desired_for(content, FACTS)
    facts = replace(FACTS, inner_mtus={7: 1336})

    found = plan(desired=desired_for(content, facts), observed=reached(before))

    assert [str(step) for step in found.steps] == ["set packet filter", "set link tun7 mtu 1336"]


def test_a_tcp_proxy_that_is_not_built_yet_is_a_warning() -> None:
    desired = desired_for(bonder(bond(legs=[static_leg()], tcp_proxy=True)), FACTS)

    assert desired.warnings == (("bond 7", "tcp_proxy_unavailable: TCP is carried as without it"),)


# -------------------------------------------------------------------------------- the difference


def reached(desired: Desired) -> Observed:
    """Return a machine on which everything desired has been reached."""
    links = {**LINKS, **{device.name: down(device.name) for device in desired.devices}}
    for item in desired.settings:
        if isinstance(item, LinkUp) and item.interface in links:
            links[item.interface] = replace(links[item.interface], up=item.up)
        elif isinstance(item, LinkMtu) and item.interface in links:
            links[item.interface] = replace(links[item.interface], mtu=item.mtu)
        elif isinstance(item, LinkMac) and item.interface in links:
            links[item.interface] = replace(links[item.interface], mac=item.mac)
    return Observed(
        links=links,
        devices=frozenset(desired.devices),
        addresses=frozenset(desired.addresses),
        routes=frozenset(desired.routes),
        rules=frozenset(desired.rules),
        sysctls={item.key: item.value for item in desired.settings if isinstance(item, Sysctl)},
        ruleset=next(item for item in desired.settings if isinstance(item, Ruleset)),
        files=frozenset(desired.files),
        programs=frozenset(desired.programs),
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bonder(bond(legs=[static_leg(), dhcp_leg()])), id="bonder"),
        pytest.param(aggregator(bond(legs=[far_leg()])), id="aggregator"),
        pytest.param(bonder(), id="nothing"),
    ],
)
def test_what_is_reached_needs_no_steps(content: NodeContent) -> None:
    desired = desired_for(content, FACTS)

    assert plan(desired=desired, observed=reached(desired)).steps == ()


def test_everything_is_added_before_anything_is_deleted() -> None:
    before = desired_for(bonder(bond(legs=[static_leg(ip="192.0.2.2")])), FACTS)
    after = desired_for(bonder(bond(legs=[static_leg(ip="192.0.2.3")])), FACTS)

    found = plan(desired=after, observed=reached(before)).steps

    kinds = [type(step) for step in found]
    assert Delete in kinds
    assert Delete not in kinds[: kinds.index(Delete)]
    assert all(kind is Delete for kind in kinds[kinds.index(Delete) :])
    assert kinds.count(Add) == 3  # address, rule, settings


def test_a_route_of_the_same_key_is_replaced_not_doubled() -> None:
    old = route("10.1.0.0/24", "eth1")
    new = route("10.1.0.0/24", "eth2")

    found = plan(
        desired=Desired(routes={new: "bond 7"}),
        observed=Observed(links=LINKS, routes=frozenset({old})),
    )

    assert found.steps == (Replace(new, "bond 7"),)


def route(network: str, interface: str) -> Route:
    return Route(IPv4Network(network), 55, interface)


def test_a_foreign_address_is_as_good_as_ours() -> None:
    address = Address("eth1", ip_interface("192.0.2.2/24"), has_network=False)

    found = plan(
        desired=Desired(addresses={address: "leg 21"}),
        observed=Observed(
            links=LINKS, foreign_addresses=frozenset({("eth1", ip_interface("192.0.2.2/24"))})
        ),
    )

    assert found.steps == ()


def test_what_needs_a_missing_interface_is_left_out_with_one_warning() -> None:
    found = plan(
        desired=Desired(
            settings={LinkUp("usb0", True): "leg 21"},
            addresses={Address("usb0", ip_interface("192.0.2.2/24")): "leg 21"},
        ),
        observed=Observed(links=LINKS),
    )

    assert found == Plan(
        (), (("leg 21", "interface usb0 does not exist: plug it in, or choose another"),)
    )


def test_a_device_of_the_same_plan_counts_as_there() -> None:
    found = plan(
        desired=Desired(
            devices={Device("tun7"): "bond 7"}, settings={LinkUp("tun7", True): "bond 7"}
        ),
        observed=Observed(),
    )

    assert found.steps == (Add(Device("tun7"), "bond 7"), Set(LinkUp("tun7", True), "bond 7"))


def test_a_packet_filter_somebody_changed_is_set_again() -> None:
    wanted = Ruleset("[]")

    found = plan(desired=Desired(settings={wanted: "node"}), observed=Observed(ruleset=None))

    assert found.steps == (Set(wanted, "node"),)


def test_our_routes_carry_our_mark() -> None:
    desired = desired_for(bonder(bond(legs=[static_leg()])), FACTS)

    assert {route.protocol for route in desired.routes} == {PROTOCOL, PROTOCOL + 1}


def test_values_read_aloud() -> None:
    gateway = Route(
        ip_network("10.0.0.0/8"),
        55,
        "eth1",
        gateway=ip_address("192.0.2.1"),
        source=ip_address("192.0.2.2"),
        metric=7,
    )

    assert str(gateway) == "route 10.0.0.0/8 via 192.0.2.1 dev eth1 src 192.0.2.2 metric 7 table 55"
    assert str(Sysctl("net.ipv4.ip_forward", "1")) == "sysctl net.ipv4.ip_forward=1"


# ----------------------------------------------------------------- what the operator set of a leg


def test_a_vlan_leg_gets_an_interface_of_its_own_on_the_other_one() -> None:
    content = bonder(bond(legs=[static_leg(21, "eth1.3")]))

    links = {**LINKS, "eth1": Link("eth1", up=False, carrier=False, mtu=1500)}
    lines = steps(content, observed=Observed(links=links))

    assert lines.index("add VLAN eth1.3") < lines.index("set link eth1 up")
    assert lines.index("set link eth1 up") < lines.index("set link eth1.3 up")
    assert "add address 192.0.2.2/24 dev eth1.3 noprefixroute" in lines
    assert "add rule 10100: oif eth1.3 lookup 100000021" in lines


def test_a_vlan_that_no_leg_needs_any_more_goes_away() -> None:
    links = {**LINKS, "eth1.3": Link("eth1.3", up=True, carrier=True, mtu=1500)}
    observed = Observed(links=links, devices=frozenset({Vlan("eth1.3")}))

    offline = bonder(bond(legs=[static_leg(21, "eth1.3", mode=LinkMode.OFFLINE)]))

    assert "delete VLAN eth1.3" in steps(offline, observed=observed)
    assert "add VLAN eth1.3" not in steps(
        bonder(bond(legs=[static_leg(21, "eth1.3")])), observed=observed
    )


def test_a_vlan_on_an_interface_that_is_missing_waits_with_one_warning() -> None:
    desired = desired_for(bonder(bond(legs=[static_leg(21, "usb0.3")])), FACTS)

    found = plan(desired=desired, observed=Observed(links=LINKS))

    steps_there = [step for step in found.steps if "usb0" in str(step)]
    assert [str(step) for step in steps_there] == ["add rule 10100: oif usb0.3 lookup 100000021"]
    assert [words for about, words in found.warnings if about == "leg 21"] == [
        "interface usb0 does not exist: plug it in, or choose another"
    ]


def test_an_ethernet_mode_is_set_where_it_is_not_and_taken_back() -> None:
    forced = bonder(bond(legs=[static_leg(21, "eth1", interface_mode="100full")]))
    as_forced = Observed(links=LINKS, ethernet_modes={"eth1": "100full"})

    assert "set link eth1 mode 100full" in steps(forced)
    assert "set link eth1 mode 100full" not in steps(forced, observed=as_forced)
    assert "set link eth1 mode auto" in steps(bonder(bond(legs=[static_leg()])), observed=as_forced)
    assert not [line for line in steps(bonder(bond(legs=[static_leg()]))) if " mode " in line]


def test_two_legs_on_one_cable_cannot_have_two_ethernet_modes() -> None:
    legs = [
        static_leg(21, "eth1.3", interface_mode="100full"),
        static_leg(22, "eth1.4", interface_mode="10half"),
    ]

    desired = desired_for(bonder(bond(legs=legs)), FACTS)

    words = "interface_mode 10half is ignored: another leg on eth1 has its own"
    assert ("leg 22", words) in desired.warnings


def test_a_client_waits_for_its_interface_and_ends_when_that_goes() -> None:
    content = bonder(bond(legs=[dhcp_leg(22, "eth2")]))
    without = {name: link for name, link in LINKS.items() if name != "eth2"}
    (client,) = [p for p in desired_for(content, FACTS).programs if p.name == "dhcp-22"]

    assert "add program dhcp-22" in steps(content)
    assert "add program dhcp-22" not in steps(content, observed=Observed(links=without))
    unplugged = Observed(links=without, programs=frozenset({client}))
    assert "delete program dhcp-22" in steps(content, observed=unplugged)


def test_a_new_count_of_renew_is_a_new_client_and_the_same_one_is_not() -> None:
    def client(renewals: int) -> RunningProgram:
        content = bonder(bond(legs=[dhcp_leg(22, renew_count=renewals)]))
        (found,) = [p for p in desired_for(content, FACTS).programs if p.name == "dhcp-22"]
        return found

    assert client(0) == client(0)
    assert client(1) != client(0)


def test_renew_means_nothing_to_a_static_leg() -> None:
    counts = [bonder(bond(legs=[static_leg(renew_count=count)])) for count in (0, 1)]

    assert desired_for(counts[0], FACTS).programs == desired_for(counts[1], FACTS).programs


@pytest.mark.parametrize(
    ("speeds", "negotiates", "speed", "is_full", "mode"),
    [
        pytest.param([("100full", True), ("1000full", True)], True, 1000, True, "auto", id="all"),
        pytest.param(
            [("100full", False), ("1000full", True)], True, 1000, True, "1000full", id="one"
        ),
        pytest.param(
            [("100full", True), ("100half", True)], False, 100, False, "100half", id="off"
        ),
        pytest.param([], False, 10000, True, "auto", id="a virtual interface has no choice"),
        pytest.param([("10000full", True)], True, 10000, True, "auto", id="the only one it has"),
    ],
)
def test_the_mode_of_an_interface_is_read_in_the_apis_words(
    speeds: list[tuple[str, bool]], negotiates: bool, speed: int, is_full: bool, mode: str
) -> None:
    assert mode_of(speeds, negotiates=negotiates, speed=speed, is_full=is_full) == mode
