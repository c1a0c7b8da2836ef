"""Duplicate mode: each packet of the class on several legs (behaviour 2.14)."""

from dataclasses import replace
from itertools import pairwise

import pytest

from openbond.tunnel.settings import BondSettings, LegSettings, Qos, QosClass, QosFilter, Role
from tests.sim.internet import FAR, SITE, Line, bond_settings
from tests.sim.traffic import Marked, sent_since, stream, up

EF = 46
ICMP = 1


def with_copies(copies: int) -> object:
    """Return settings under which EF and ICMP go on so many legs."""
    qos = Qos(
        classes=(QosClass(share=0.4, copies=copies), QosClass(share=0.6)),
        default=1,
        filters=(QosFilter(target=0, dscp=EF), QosFilter(target=0, protocols=frozenset((ICMP,)))),
    )

    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        return replace(bond_settings(role, *legs), qos=qos)

    return settings


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("protocol", [17, ICMP], ids=["UDP", "ICMP"])
def test_30_percent_loss_on_one_of_two_legs_shows_no_loss(seed: int, protocol: int) -> None:
    internet = up({1: Line(4, 0.010), 2: Line(4, 0.015)}, settings=with_copies(2), seed=seed)
    internet.lines[1].loss = 0.30

    sent = Marked(internet, SITE, seconds=4.0, every=0.020, dscp=EF, protocol=protocol)
    internet.run(4.5)

    came = [number for _, number in sent.arrivals(FAR)]
    assert sorted(came) == sorted(sent.sent)  # none is missing, none came twice
    assert internet.bonds[FAR].report().counters["duplicates"] > 20


def test_the_same_leg_without_copies_loses_some() -> None:
    internet = up({1: Line(4, 0.010), 2: Line(4, 0.015)}, settings=with_copies(1))
    internet.lines[1].loss = 0.30

    sent = Marked(internet, SITE, seconds=1.0, every=0.020, dscp=EF, protocol=ICMP)
    internet.lines[2].cut()
    internet.run(1.5)

    assert len(sent.waits(FAR)) < len(sent.sent)


def test_a_cut_leg_leaves_no_gap() -> None:
    internet = up({1: Line(20, 0.010), 2: Line(20, 0.012)}, settings=with_copies(2))
    sent = Marked(internet, SITE, seconds=3.0, every=0.005, dscp=EF)
    internet.run(1.0)

    internet.lines[1].cut()
    internet.run(2.5)

    assert len(sent.waits(FAR)) == len(sent.sent)
    assert sent.longest_gap(FAR) <= 0.020


def test_copies_go_on_as_many_legs_as_asked_and_count_against_their_speeds() -> None:
    lines = {n: Line(20, 0.010) for n in range(1, 5)}
    internet = up(lines, settings=with_copies(3))
    before = internet.carried.copy()

    sent = Marked(internet, SITE, seconds=1.0, every=0.001, size=1000, dscp=EF)
    internet.run(1.2)

    carried = sum(sent_since(internet, SITE, before, leg) for leg in lines)
    assert carried == pytest.approx(3 * 1000 * len(sent.sent), rel=0.15)
    assert internet.bonds[SITE].report().counters["copies"] == 2 * len(sent.sent)
    assert len(sent.arrivals(FAR)) == len(sent.sent)


def test_other_classes_are_not_copied() -> None:
    internet = up({1: Line(20), 2: Line(20)}, settings=with_copies(2))

    sent = stream(internet, SITE, mbps=10, seconds=1.0)
    internet.run(1.5)

    assert len(internet.packets(FAR)) == sent
    assert internet.bonds[SITE].report().counters["copies"] == 0


def test_the_only_leg_carries_each_packet_once() -> None:
    internet = up({1: Line(20)}, settings=with_copies(2))

    sent = Marked(internet, SITE, seconds=0.5, every=0.010, dscp=EF)
    internet.run(1.0)

    assert len(sent.arrivals(FAR)) == len(sent.sent)
    assert internet.bonds[SITE].report().counters["copies"] == 0


def test_copies_come_in_order() -> None:
    internet = up({1: Line(4, 0.030), 2: Line(4, 0.010)}, settings=with_copies(2))
    for line in internet.lines.values():
        line.loss = 0.2

    sent = Marked(internet, SITE, seconds=2.0, every=0.010, dscp=EF)
    internet.run(2.5)

    came = [number for _, number in sent.arrivals(FAR)]
    swapped = sum(later < earlier for earlier, later in pairwise(came))
    # A leg that loses so much leaves the bond now and then; the hold ends with it.
    assert swapped <= 0.03 * len(came)
