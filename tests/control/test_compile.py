"""A node's config from rows: the golden documents, and what may never be in them."""

import base64
import json
from pathlib import Path

import pytest

from openbond.server.bonds.models import (
    AggRouting,
    Bond,
    ConnectedIP,
    CpeNatIP,
    Leg,
    MobileProviderProfile,
    Route,
)
from openbond.server.control.compile import BondRows, NodeRows, compile_node, compile_tombstone
from openbond.server.control.routed import networks_of, sources_of
from openbond.server.control.rows import rows_of
from openbond.server.fleet.models import Aggregator, Bonder, Node, Tombstone
from openbond.server.qos.rules import ClassSpec, FilterSpec
from openbond.server.qos.services import create_qos_profile
from openbond.server.system.actors import SERVER
from openbond.wire.canonical import canonical_bytes
from openbond.wire.config import QosClassConfig, QosFilterConfig, QosProfileConfig
from openbond.wire.states import LegType
from tests.world import World

GOLDEN = Path(__file__).parent / "golden"
PEER_KEY = bytes(range(32))
SECRET = base64.b64encode(b"s" * 32).decode()


def bonder() -> Node:
    return Bonder(id=17, kind="bonder", name="clinic-east", cpu_governor="performance", debug=True)


def aggregator() -> Aggregator:
    return Aggregator(id=3, kind="aggregator", name="agg-tor-1", ip="198.51.100.10")


def bond() -> Bond:
    made = Bond(
        id=8,
        bonder_id=17,
        current_aggregator=aggregator(),
        tunnel_number=0xF000000E,
        tunnel_security="encryption",
        encryption_cipher="aes256",
        bandwidth_adaptation=True,
        restart_count=2,
    )
    made.secret = SECRET
    return made


def pppoe_leg() -> Leg:
    leg = Leg(
        id=23,
        type=LegType.PPPOE,
        interface="eth2",
        username="line7@isp.example",
        down_kbps=40_000,
        up_kbps=8_000,
        tunnel_port=2023,
    )
    leg.password = "of the line"
    return leg


def mobile_leg() -> Leg:
    profile = MobileProviderProfile(id=1, apn="internet.example", username="m")
    profile.password = "of the provider"
    return Leg(
        id=24,
        type=LegType.MOBILEBROADBAND,
        provider_profile=profile,
        failover=True,
        down_kbps=20_000,
        up_kbps=5_000,
        tunnel_port=2024,
    )


def legs() -> list[Leg]:
    dhcp = Leg(
        id=21,
        type=LegType.DHCP,
        interface="eth1",
        down_kbps=50_000,
        up_kbps=9_500,
        tunnel_port=2021,
        renew_count=1,
        detect_mtu_count=3,
    )
    static = Leg(
        id=22,
        type=LegType.STATIC,
        interface="eth3.20",
        interface_mtu=1492,
        interface_mac="02:00:00:00:00:01",
        link_mode="idle",
        ip="198.51.100.86",
        prefix=30,
        gateway="198.51.100.85",
        down_kbps=15_000,
        up_kbps=2_000,
        tunnel_port=2022,
    )
    return [dhcp, static, pppoe_leg(), mobile_leg()]


def connected(id: int, ip: str, network: str, **options: object) -> ConnectedIP:
    prefix = int(network.split("/")[1])
    return ConnectedIP(id=id, interface="eth0", ip=ip, prefix=prefix, network=network, **options)


def rows() -> BondRows:
    return BondRows(
        bond=bond(),
        peer_key=PEER_KEY,
        private_wan=False,
        legs=legs(),
        connected_ips=[
            connected(5, "192.168.10.1", "192.168.10.0/24"),
            connected(6, "203.0.113.1", "203.0.113.0/30"),
            connected(7, "203.0.113.5", "203.0.113.4/30", enabled=False),
        ],
        cpe_nat_ips=[CpeNatIP(id=2, ip="203.0.113.9", dest_nat_ip="192.168.10.2")],
        routes=[
            Route(id=4, network="192.168.20.0/24", gateway="192.168.10.254"),
            Route(id=5, network="203.0.113.16/28", gateway="203.0.113.6"),
        ],
    )


def document(node: Node, bonds: list[BondRows]) -> bytes:
    content = compile_node(NodeRows(node=node, hostname=f"acme-{node.name}", bonds=bonds))
    return canonical_bytes(content)


@pytest.mark.parametrize("node", [bonder(), aggregator()], ids=lambda node: node.kind)
def test_the_config_is_the_golden_document(node: Node) -> None:
    found = json.loads(document(node, [rows()]))

    expected = json.loads((GOLDEN / f"{node.kind}.json").read_text())
    assert found == expected


def test_the_same_rows_give_the_same_bytes() -> None:
    assert document(bonder(), [rows()]) == document(bonder(), [rows()])


@pytest.mark.parametrize(
    "secret", ["of the line", "line7@isp.example", "of the provider", "internet.example"]
)
def test_an_aggregator_learns_no_secret_of_the_bonders_lines(secret: str) -> None:
    assert secret.encode() in document(bonder(), [rows()])
    assert secret.encode() not in document(aggregator(), [rows()])


def test_without_a_valid_certificate_of_the_peer_there_is_no_key() -> None:
    unkeyed = rows()
    content = compile_node(
        NodeRows(
            node=bonder(),
            hostname="h",
            bonds=[BondRows(bond=unkeyed.bond, peer_key=b"", private_wan=False, legs=[])],
        )
    )

    assert content.bonds[0].peer_public_key == ""


def test_a_deleted_node_is_told_to_stand_down() -> None:
    content = compile_tombstone(Tombstone(node_id=17, kind="bonder", name="clinic-east"))

    assert content.decommission
    assert content.bonds == []


@pytest.mark.django_db
def test_a_node_gets_the_profiles_of_its_bonds_once(world: World) -> None:
    profile = create_qos_profile(
        by=SERVER,
        name="Voice",
        space=world.root,
        overhead_margin_permille=55,
        classes=[ClassSpec("Voice", 40, copies=2), ClassSpec("Rest", 60, is_default=True)],
        filters=[
            FilterSpec("Voice", protocol="udp", ports="4569,5060-5061", network="192.0.2.0/24"),
            FilterSpec("Rest", ip_version="6", min_flow_size=2_000_000),
        ],
    )
    Bond.objects.update(qos_profile=profile)

    bonders = [bond.bonder for bond in Bond.objects.all()]
    contents = [compile_node(rows) for rows in rows_of(bonders).values()]

    assert contents[0].bonds[0].qos_profile_id == profile.pk
    assert contents[0].qos_profiles == [
        QosProfileConfig(
            id=profile.pk,
            margin_permille=55,
            default=1,
            classes=[
                QosClassConfig(name="Voice", share=40, copies=2),
                QosClassConfig(name="Rest", share=60),
            ],
            filters=[
                QosFilterConfig(
                    target=0,
                    protocol="udp",
                    ports=[(4569, 4569), (5060, 5061)],
                    network="192.0.2.0/24",
                ),
                QosFilterConfig(target=1, ip_version=6, min_flow_size=2_000_000),
            ],
        )
    ]


PRIVATE, PUBLIC = "192.168.10.0/24", "203.0.113.0/30"


@pytest.mark.parametrize(
    ("network", "agg_routing", "included", "private_wan", "routed"),
    [
        pytest.param(PUBLIC, AggRouting.AUTO, True, False, True, id="auto routes public"),
        pytest.param(PRIVATE, AggRouting.AUTO, True, False, False, id="auto keeps private"),
        pytest.param(PUBLIC, AggRouting.AUTO, True, True, False, id="of a private WAN, to no core"),
        pytest.param(PUBLIC, AggRouting.AUTO, False, True, True, id="public, not included"),
        pytest.param(PRIVATE, AggRouting.AUTO, False, True, False, id="not included stays out"),
        pytest.param(PRIVATE, AggRouting.ALWAYS, False, False, True, id="always also private"),
        pytest.param(PUBLIC, AggRouting.NEVER, True, True, False, id="never, even if public"),
        pytest.param("fd00:1::/64", AggRouting.AUTO, True, False, False, id="private IPv6"),
        pytest.param("2001:db8::/64", AggRouting.AUTO, True, False, True, id="public IPv6"),
    ],
)
def test_what_an_aggregator_routes(
    network: str, agg_routing: AggRouting, included: bool, private_wan: bool, routed: bool
) -> None:
    row = connected(1, "unused", network, agg_routing=agg_routing, include_private_wan=included)

    assert networks_of([row], [], [], private_wan=private_wan) == ([network] if routed else [])


def test_whatever_is_enabled_may_come_out_of_the_tunnel() -> None:
    hidden = connected(1, "unused", PRIVATE, agg_routing=AggRouting.NEVER)
    disabled = connected(2, "unused", PUBLIC, enabled=False)

    assert sources_of([hidden, disabled], [], []) == [PRIVATE]


def test_a_route_waits_for_the_connected_ip_of_its_gateway() -> None:
    route = Route(id=1, network="203.0.113.16/28", gateway="192.168.10.254")
    off = connected(1, "192.168.10.1", PRIVATE, enabled=False)
    on = connected(1, "192.168.10.1", PRIVATE)

    assert networks_of([off], [route], [], private_wan=False) == []
    assert networks_of([on], [route], [], private_wan=False) == ["203.0.113.16/28"]


def test_networks_are_in_order_of_address_and_named_once() -> None:
    texts = ["203.0.113.128/25", "9.0.0.0/8", "2001:db8::/64", "203.0.113.0/25", "9.0.0.0/8"]
    rows = [connected(number, "unused", text) for number, text in enumerate(texts)]

    assert networks_of(rows, [], [], private_wan=False) == [
        "9.0.0.0/8",
        "203.0.113.0/25",
        "203.0.113.128/25",
        "2001:db8::/64",
    ]
