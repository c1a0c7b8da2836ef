"""What the node tells of itself: pure arithmetic over what daemons and leases say."""

from openbond.node.agent.door import StatusAnswer as NodeStatus
from openbond.node.agent.readiness import obstacles
from openbond.node.agent.states import leg_facts
from openbond.node.agent.watching import risen
from openbond.node.daemon_messages import LegStatus, StatusAnswer
from openbond.node.plan.facts import Facts, Lease, Machine
from openbond.node.plan.values import Link, Observed
from openbond.node.programs import ProgramStatus
from openbond.node.status_lines import status_lines
from openbond.wire.reports import LegFacts, Problem
from openbond.wire.states import LinkMode, ShownState
from tests.node.samples import aggregator, bond, bonder, dhcp_leg, far_leg, static_leg

MACHINE = Machine("/key", "/hook", "/leases", ("tunnel",))
LEASE = Lease(ip="198.51.100.7", prefix=24, obtained=1000, seconds=600, server="198.51.100.1")


def status(*legs: LegStatus) -> StatusAnswer:
    return StatusAnswer(bond_id=7, pid=1, started_at_ms=1, inner_mtu=1400, legs=list(legs))


def leg_status(leg_id: int, state: ShownState) -> LegStatus:
    return LegStatus(
        leg_id=leg_id, state=state, path_mtu=1500, path_mtu_measured=False, rtt_us=20_000
    )


def test_the_facts_of_a_leg_come_from_its_daemon_and_its_lease() -> None:
    content = bonder(bond(legs=[static_leg(21), dhcp_leg(22)]))
    said = {7: status(leg_status(21, ShownState.UP), leg_status(22, ShownState.TESTING))}

    one, two = leg_facts(content, said, Facts(MACHINE, leases={22: LEASE}))

    assert (one.state, one.ip, one.prefix, one.gateway) == ("up", "192.0.2.2", 24, "192.0.2.1")
    assert (one.rtt_us, one.dhcp_server) == (20_000, None)
    assert (two.state, two.ip, two.dhcp_server) == ("testing", "198.51.100.7", "198.51.100.1")
    assert (two.lease_obtained_ms, two.lease_expires_ms) == (1_000_000, 1_600_000)


def test_a_leg_whose_daemon_does_not_answer_is_down_at_this_end() -> None:
    (leg,) = leg_facts(bonder(bond(legs=[static_leg()])), {}, Facts(MACHINE))

    assert leg.state is ShownState.DOWN


def test_an_offline_leg_reads_offline_whatever_the_daemon_still_says() -> None:
    content = bonder(bond(legs=[static_leg(mode=LinkMode.OFFLINE)]))

    (leg,) = leg_facts(content, {7: status(leg_status(21, ShownState.UP))}, Facts(MACHINE))

    assert leg.state is ShownState.OFFLINE


def test_an_aggregators_legs_have_no_addresses() -> None:
    content = aggregator(bond(legs=[far_leg()]))

    (leg,) = leg_facts(content, {7: status(leg_status(21, ShownState.UP))}, Facts(MACHINE))

    assert (leg.state, leg.ip, leg.gateway) == ("up", None, None)


# -------------------------------------------------------------------------------------- readiness


def missing(observed: Observed, facts: Facts | None = None) -> list[str]:
    content = bonder(bond(legs=[static_leg(21, "eth1"), dhcp_leg(22, "eth2")]))
    return [why for _, _, why in obstacles(content, facts or Facts(MACHINE), observed)]


def links(*given: Link) -> Observed:
    return Observed(links={link.name: link for link in given})


def test_a_leg_needs_interface_carrier_and_address() -> None:
    up, dark = Link("eth2", True, True, 1500), Link("eth1", True, False, 1500)

    assert missing(links()) == ["interface eth1 does not exist", "interface eth2 does not exist"]
    assert missing(links(dark, up)) == ["no carrier on eth1", "no address yet"]
    ready = links(Link("eth1", True, True, 1500), up)
    assert missing(ready, Facts(MACHINE, leases={22: LEASE})) == ["", ""]


def test_an_interface_not_up_yet_says_nothing_about_its_carrier() -> None:
    assert missing(links(Link("eth1", False, False, 1500), Link("eth2", False, False, 1500))) == [
        "",
        "no address yet",
    ]


# --------------------------------------------------------------------------------------- programs


def test_every_restart_since_the_last_look_is_told() -> None:
    now = [ProgramStatus(name=n, pid=1, restarts=r) for n, r in (("a", 2), ("b", 1), ("c", 0))]

    assert [program.name for program in risen(now, {"a": 1, "b": 1})] == ["a"]


# ----------------------------------------------------------------------------------------- status


def test_status_reads_aloud() -> None:
    answer = NodeStatus(
        node_id=7,
        name="site-1",
        server="192.0.2.1:8443",
        revision=4,
        trying=5,
        last_contact_ms=88_000,
        last_error="the server cannot be asked",
        reports_waiting=3,
        legs=[
            LegFacts(
                bond_id=7,
                leg_id=21,
                state=ShownState.UP,
                ip="192.0.2.2",
                rtt_us=20_500,
                spill_reason="spill only, adds 90 ms",
            ),
            LegFacts(bond_id=7, leg_id=22, state=ShownState.DOWN),
        ],
        warnings=[Problem(about="leg 22", text="no lease yet")],
        failures=[Problem(about="bond 7", text="add device tun7: refused")],
    )

    assert "\n".join(status_lines(answer, now_ms=90_000)) == (
        "node      7 site-1\n"
        "revision  4 (trying 5)\n"
        "server    192.0.2.1:8443, last answer 2 s ago\n"
        "reports   3 wait for the server\n"
        "leg 21    up           192.0.2.2        rtt 20.5 ms spill only, adds 90 ms\n"
        "leg 22    down         no address\n"
        "warning   leg 22: no lease yet\n"
        "failure   bond 7: add device tun7: refused\n"
        "error     the server cannot be asked"
    )


def test_a_node_without_a_config_says_so() -> None:
    lines = list(status_lines(NodeStatus(node_id=7, server="a:1"), now_ms=0))

    assert lines == ["node      7", "revision  none yet", "server    a:1, no answer yet"]
