"""Speed tests at both ends: whose packets go where, what is counted, and how it is over again."""

import pytest

from openbond.tunnel.packets import VNET_SIZE
from openbond.tunnel.settings import Distribution, Role
from openbond.tunnel.speed_test import LegSpeeds, TrialPlan, TrialReading, Tried
from tests.sim.internet import FAR, OTHER, SITE, Internet, Line, bond_settings, inner
from tests.sim.traffic import numbered, numbers, sent_since, shares, stream, up
from tests.tunnel.inner import plain_read, super_tcp

ADDRESSES = {SITE: b"\x64\x40\x00\x00", FAR: b"\x64\x40\x00\x01"}
FIRST_TEST_PACKET = 1_000_000
BACK = 6.0  # seconds in which a leg is back in its bond


WEIGHTED = Tried(
    Distribution.WEIGHTED_ROUND_ROBIN, {1: LegSpeeds(6e6, 6e6), 2: LegSpeeds(2e6, 2e6)}
)


def begin(
    internet: Internet,
    leg_id: int | None,
    *,
    limit: float | None = None,
    seconds: float = 30.0,
    tried: Tried | None = None,
) -> None:
    for role in (SITE, FAR):
        plan = TrialPlan(
            test_id=5,
            leg_id=leg_id,
            near=ADDRESSES[role],
            far=ADDRESSES[OTHER[role]],
            limit_bps=limit,
            until=internet.now + seconds,
            tried=tried,
        )
        internet.bonds[role].begin_test(plan, internet.now)


def end(internet: Internet) -> None:
    for role in (SITE, FAR):
        internet.bonds[role].end_test(internet.now)


def of_test(role: Role, packet: bytes) -> bytes:
    read = bytearray(packet)
    read[VNET_SIZE + 12 : VNET_SIZE + 20] = ADDRESSES[role] + ADDRESSES[OTHER[role]]
    return bytes(read)


def traffic(internet: Internet, role: Role, *, mbps: float, seconds: float) -> int:
    """Send packets of the test at a rate; return how many."""
    size = 1200
    number = int(mbps * 1e6 * seconds / 8 / size)
    for n in range(number):
        packet = of_test(role, plain_read(numbered(FIRST_TEST_PACKET + n, size)))
        internet.send(role, packet, at=internet.now + n * seconds / number)
    return number


def came(internet: Internet, role: Role, since: float = 0.0) -> tuple[list[int], list[int]]:
    """Return the numbers of the test's packets that came out, and of the customers'."""
    found = numbers(internet.packets(role, since))
    return (
        [number for number in found if number >= FIRST_TEST_PACKET],
        [number for number in found if number < FIRST_TEST_PACKET],
    )


def states(internet: Internet, role: Role) -> dict[int, str]:
    return {leg.leg_id: leg.state for leg in internet.bonds[role].report().legs}


def reading(internet: Internet, role: Role) -> TrialReading:
    found = internet.bonds[role].test_reading(internet.now)
    assert found is not None
    return found[1]


def three_lines() -> Internet:
    return up({1: Line(4, 0.010), 2: Line(10, 0.015), 3: Line(20, 0.005)})


@pytest.mark.parametrize("role", [SITE, FAR])
def test_a_leg_test_uses_its_leg_alone_and_customers_use_the_others(role: Role) -> None:
    internet = three_lines()
    begin(internet, 2)
    before = internet.carried.copy()
    at = internet.now

    sent = traffic(internet, role, mbps=8, seconds=1.0)
    customers = stream(internet, role, mbps=15, seconds=1.0)
    internet.run(1.5)

    tested, others = came(internet, OTHER[role], at)
    assert (len(tested), len(others)) == (sent, customers)
    on_leg = sent_since(internet, role, before, 2)
    assert sent * 1200 < on_leg < sent * 1200 * 1.1
    assert states(internet, role) == {1: "up", 2: "testing", 3: "up"}


def test_a_leg_test_is_not_paced_by_the_speed_of_the_leg() -> None:
    internet = up({1: Line(5, 0.010), 2: Line(5, 0.010)})
    # The settings say 5, the line has become better.
    internet.lines[1].mbps = 20
    begin(internet, 1)

    sent = traffic(internet, FAR, mbps=15, seconds=1.0)
    internet.run(1.05)

    assert len(came(internet, SITE)[0]) == sent


def test_a_limit_counts_outer_packets_and_is_kept_in_every_second() -> None:
    internet = up({1: Line(100, 0.010), 2: Line(100, 0.010)})
    begin(internet, 1, limit=5e6)
    traffic(internet, SITE, mbps=12, seconds=3.0)

    for _ in range(3):
        before = internet.carried.copy()
        internet.run(1.0)
        assert sent_since(internet, SITE, before, 1) * 8 < 5e6 * 1.02


def test_what_is_lost_in_a_leg_test_is_neither_waited_for_nor_repaired() -> None:
    internet = three_lines()
    internet.lines[2].loss = 0.1
    begin(internet, 2)
    before = internet.carried.copy()

    sent = traffic(internet, SITE, mbps=5, seconds=2.0)
    internet.run(2.1)

    arrived, _ = came(internet, FAR)
    assert 0.8 * sent < len(arrived) < 0.97 * sent
    assert sum(leg.counters["repaired"] for leg in internet.bonds[SITE].report().legs) == 0
    assert internet.bonds[FAR].report().counters["held"] == 0
    for leg in (1, 3):  # nothing but probes
        assert sent_since(internet, SITE, before, leg) < 50_000


def test_super_packets_of_a_leg_test_come_out_as_they_went_in() -> None:
    internet = three_lines()
    begin(internet, 1)
    packet = of_test(FAR, super_tcp(30_000, 1300))

    internet.send(FAR, packet)
    internet.run(0.1)

    out = b"".join(inner(one)[52:] for one in internet.packets(SITE))
    assert out == packet[VNET_SIZE + 52 :]


def test_counted_is_what_crossed_the_leg() -> None:
    internet = three_lines()
    begin(internet, 2)
    before = internet.carried.copy()

    sent = traffic(internet, SITE, mbps=5, seconds=2.0)
    internet.run(2.2)

    near, far = reading(internet, SITE), reading(internet, FAR)
    assert near.sent_datagrams == far.received_datagrams == sent
    assert near.sent_octets == far.received_octets
    assert far.received_octets == pytest.approx(sent_since(internet, SITE, before, 2), rel=0.02)
    # Ten probes a second, each 30 ms there and back.
    assert near.rtt_count == pytest.approx(22, abs=2)
    assert near.rtt_sum / near.rtt_count == pytest.approx(0.030, abs=0.002)
    assert near.queue / 2.2 < 1


def test_above_its_limit_packets_wait_and_it_is_counted() -> None:
    internet = up({1: Line(100, 0.010), 2: Line(100, 0.010)})
    begin(internet, 1, limit=3e6)

    traffic(internet, SITE, mbps=4, seconds=1.0)
    internet.run(1.0)

    assert reading(internet, SITE).queue > 5


def test_a_bond_test_goes_as_in_service_and_keeps_customers_back() -> None:
    internet = three_lines()
    before = internet.carried.copy()
    customers = stream(internet, SITE, mbps=2, seconds=1.0)
    begin(internet, None)
    at = internet.now

    sent = traffic(internet, SITE, mbps=30, seconds=1.0)
    internet.run(1.3)

    tested, others = came(internet, FAR, at)
    assert (sorted(tested), others) == (
        list(range(FIRST_TEST_PACKET, FIRST_TEST_PACKET + sent)),
        [],
    )
    assert tested == sorted(tested)
    assert all(sent_since(internet, SITE, before, leg) > 300_000 for leg in (1, 2, 3))
    assert internet.bonds[SITE].report().counters["dropped_test"] == customers
    assert states(internet, SITE) == {1: "up", 2: "up", 3: "up"}
    assert reading(internet, FAR).received_datagrams == sent


def near_and_far() -> Internet:
    """Two legs of the same speed: idmpq fills the near one before it gives the other anything."""
    return up({1: Line(10, 0.005), 2: Line(10, 0.025)})


def light_shares(internet: Internet, role: Role, *, is_test: bool) -> dict[int, float]:
    before = internet.carried.copy()
    send = traffic if is_test else stream
    send(internet, role, mbps=3, seconds=1.0)
    internet.run(1.2)
    return shares(internet, role, before)


@pytest.mark.parametrize("role", [SITE, FAR])
def test_a_bond_test_may_try_another_distribution_and_other_speeds(role: Role) -> None:
    internet = near_and_far()
    begin(internet, None, tried=WEIGHTED)

    tried = light_shares(internet, role, is_test=True)

    assert tried[1] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("ends", ["told", "by itself", "new settings"])
def test_what_a_test_tried_is_taken_back_however_it_ends(ends: str) -> None:
    internet = near_and_far()
    begin(internet, None, tried=WEIGHTED, seconds=2.0)
    internet.run(0.5)
    given = {role: bond.settings for role, bond in internet.bonds.items()}
    if ends == "new settings":
        for role, bond in internet.bonds.items():
            bond.reconfigure(given[role], internet.now)
        assert light_shares(internet, SITE, is_test=True)[2] > 0.2, "still tried"
    if ends == "told":
        end(internet)
    internet.run(2.0)

    shared = light_shares(internet, SITE, is_test=False)

    assert shared[1] > 0.9
    assert {role: bond.settings for role, bond in internet.bonds.items()} == given


def test_after_a_bond_test_customers_go_on_at_once() -> None:
    internet = three_lines()
    begin(internet, None)
    internet.run(0.5)

    end(internet)
    sent = stream(internet, SITE, mbps=5, seconds=0.5)
    internet.run(0.7)

    assert len(came(internet, FAR)[1]) == sent


@pytest.mark.parametrize("leg_id", [1, None])
def test_a_test_nobody_ends_ends_by_itself_and_the_leg_comes_back(leg_id: int | None) -> None:
    internet = three_lines()
    begin(internet, leg_id, seconds=2.0)
    internet.run(2.1)

    assert internet.bonds[SITE].test_reading(internet.now) is None
    internet.run(BACK)

    for role in (SITE, FAR):
        assert states(internet, role) == {1: "up", 2: "up", 3: "up"}
    sent = stream(internet, SITE, mbps=30, seconds=0.5)
    before = internet.carried.copy()
    internet.run(0.7)
    assert len(came(internet, FAR)[1]) == sent
    assert all(sent_since(internet, SITE, before, leg) > 50_000 for leg in (1, 2, 3))


def test_a_line_that_a_test_fills_without_mercy_stays_reached() -> None:
    internet = up({1: Line(1, 0.010, queue=1.5), 2: Line(50, 0.010)})
    begin(internet, 1)

    traffic(internet, SITE, mbps=4, seconds=5.0)
    internet.run(6.0)

    assert states(internet, SITE)[1] == "testing"


def test_a_leg_cut_in_a_test_goes_down_and_comes_back_to_its_bond() -> None:
    internet = three_lines()
    begin(internet, 2)
    internet.run(1.0)

    internet.lines[2].cut()
    internet.run(6.0)
    assert states(internet, SITE)[2] in ("down", "handshaking")
    end(internet)
    internet.lines[2].mend()
    internet.run(12.0)

    assert states(internet, SITE)[2] == states(internet, FAR)[2] == "up"


def test_a_leg_that_leaves_the_bond_ends_its_test() -> None:
    internet = three_lines()
    begin(internet, 2)
    bond = internet.bonds[SITE]
    fewer = [leg for leg in bond.settings.legs if leg.id != 2]

    bond.reconfigure(bond_settings(SITE, *fewer), internet.now)

    assert bond.test_reading(internet.now) is None


def test_a_leg_that_is_not_there_cannot_be_tested() -> None:
    internet = three_lines()

    with pytest.raises(ValueError, match="leg 9"):
        begin(internet, 9)
