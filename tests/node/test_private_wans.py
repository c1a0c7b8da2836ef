"""What a private WAN wants of an aggregator, in an operator's words."""

from pathlib import Path

from openbond.node.agent.known import Known
from openbond.node.agent.legs import LegEvents
from openbond.node.agent.reporting import Reporter
from openbond.node.agent.tunnels import TunnelStates
from openbond.node.daemon_messages import InnerMtuMoved, LegStateMoved, decode_settings
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.facts import Facts, Machine
from openbond.node.plan.trunks import tunnel_ids
from openbond.node.plan.values import Desired
from openbond.node.report_queue import ReportQueue
from openbond.wire.config import (
    CpeNatIpConfig,
    NodeContent,
    PrivateNetworkConfig,
    PrivateWanConfig,
    TrunkConfig,
)
from openbond.wire.states import NodeKind, Security, ShownState
from tests.node.samples import SECRET, aggregator, bond, bonder, connected_ip, far_leg, static_leg

FACTS = Facts(Machine("/key", "/hook", "/leases", ("tunnel", "--bond")))
TRUNK = 4_000_000_003


def network(text: str, bond_id: int, node_id: int) -> PrivateNetworkConfig:
    return PrivateNetworkConfig(network=text, bond_id=bond_id, node_id=node_id)


def content(*, dials: bool = False, lost: bool = False) -> NodeContent:
    """Bond 7 is here, on node 1; bond 8 of the same space is on node 2."""
    wan = PrivateWanConfig(
        space_id=5,
        space_key="acme",
        node_id=1,
        networks=[network("10.1.0.0/24", 7, 1), network("10.2.0.0/24", 8, 2)],
        shadowed=[network("10.2.0.0/24", 7, 1)] if lost else [],
    )
    trunk = TrunkConfig(
        id=3,
        node_id=2,
        subnet="255.254.0.6/31",
        dials=dials,
        own_ip="198.51.100.11",
        peer_ip="198.51.100.12",
        port=1999,
        peer_public_key="",
        secret=SECRET,
    )
    here = bond(
        7,
        legs=[far_leg()],
        sources=["10.1.0.0/24", "203.0.113.8/30"],
        networks=["203.0.113.8/30"],
        private_wan=5,
        private_sources=["10.1.0.0/24"],
    )
    return aggregator(here, private_wans=[wan], trunks=[trunk])


def in_table(desired: Desired) -> list[str]:
    return [str(route) for route in desired.routes if route.table == 300_000_005]


def test_a_space_has_a_table_that_ends_in_unreachable() -> None:
    desired = desired_for(content(), FACTS)

    assert in_table(desired) == [
        "route 0.0.0.0/0 unreachable metric 4278198272 table 300000005",
        "route ::/0 unreachable metric 4278198272 table 300000005",
        "route 252.0.0.0/8 dev pwan5 table 300000005",
        "route 10.1.0.0/24 unreachable metric 4278198272 table 300000005",
        "route 10.1.0.0/24 dev tun7 table 300000005",
        "route 10.2.0.0/24 via 252.0.0.2 dev pwan5 table 300000005",
    ]
    assert [str(rule) for rule in desired.rules] == [
        "rule 10350: fwmark 0x4f000005 lookup 300000005",
        "rule 10350: fwmark 0x4f000005 lookup 300000005 inet6",
        "rule 10350: iif pwan5 lookup 300000005",
        "rule 10350: iif pwan5 lookup 300000005 inet6",
    ]
    main = [str(route) for route in desired.routes if route.table == 254]
    assert main == [
        "route 203.0.113.8/30 unreachable metric 4278198272 table 254",
        "route 203.0.113.8/30 dev tun7 table 254",
    ]


def test_the_way_to_another_aggregator_is_a_vxlan_in_an_encrypted_tunnel_of_its_own() -> None:
    desired = desired_for(content(), FACTS)

    assert [str(device) for device in desired.devices] == [
        "device tun7", f"device tun{TRUNK}", "VXLAN pwan5",
    ]  # fmt: skip
    # 1500 less the tunnel's 64, less VXLAN's 50.
    assert "link pwan5 mtu 1386" in [str(setting) for setting in desired.settings]
    (settings,) = [decode_settings(f.text) for f in desired.files if f.bond_id == TRUNK]
    assert settings.bond.security is Security.ENCRYPTION
    assert settings.role is NodeKind.AGGREGATOR
    assert settings.links[0].source_port == 1999


def test_one_end_of_a_trunk_dials_the_other_listens() -> None:
    desired = desired_for(content(dials=True), FACTS)

    (settings,) = [decode_settings(f.text) for f in desired.files if f.bond_id == TRUNK]
    assert settings.role is NodeKind.BONDER
    assert (settings.links[0].peer, settings.links[0].peer_port) == ("198.51.100.12", 1999)
    assert [str(far) for far in desired.far_ends] == ["far end 255.254.0.7 dev pwan5"]
    assert tunnel_ids(content(dials=True)) == [7, TRUNK]


def test_hooks_of_a_space_get_its_table() -> None:
    desired = desired_for(content(), FACTS)

    (hook,) = [hook for hook in desired.hooks if hook.kind == "privatewan-router-space"]
    assert (hook.id, dict(hook.environment)) == (
        5, {"NODE_ID": "1", "SPACE_ID": "5", "SPACE_KEY": "acme", "SPACE_TABLE": "300000005"},
    )  # fmt: skip


def test_of_equal_networks_the_one_that_does_not_count_is_a_warning_of_its_bond() -> None:
    desired = desired_for(content(lost=True), FACTS)

    assert (
        "bond 7",
        "10.2.0.0/24 is on bond 8 of the private WAN, too: packets go there",
    ) in desired.warnings


def test_sites_of_a_private_wan_are_not_translated_towards_each_other() -> None:
    site = bond(
        legs=[static_leg()],
        connected_ips=[connected_ip()],
        cpe_nat_ips=[nat_ip()],
        private_wan=5,
    )
    (filtered,) = [
        s for s in desired_for(bonder(site), FACTS).settings if str(s).startswith("pack")
    ]

    text = str(getattr(filtered, "text", ""))
    untouched = text.index('"daddr"', text.index("translate_out"))
    assert untouched < text.index('"snat"')


def nat_ip() -> CpeNatIpConfig:
    return CpeNatIpConfig(
        id=3, ip="203.0.113.9", dest_nat_ip="10.1.0.5", dest_nat_network="10.1.0.0/24"
    )


def test_a_trunk_tells_its_mtu_and_reports_no_leg(tmp_path: Path) -> None:
    known, reporter = Known(FACTS.machine), Reporter(ReportQueue(Paths(tmp_path).reports))
    lost: list[int] = []
    events = LegEvents(
        known,
        TunnelStates(),
        reporter,
        changed=lambda: None,
        leg_lost=lost.append,
        leg_back=lost.append,
    )

    events.on_event(TRUNK, InnerMtuMoved(mtu=1336, at_ms=1))
    moved = LegStateMoved(
        leg_id=TRUNK, old=ShownState.UP, new=ShownState.DOWN, signal="silent", at_ms=1
    )
    events.on_event(TRUNK, moved)

    assert known.inner_mtus == {TRUNK: 1336}
    assert (lost, reporter.waiting) == ([], 0)
