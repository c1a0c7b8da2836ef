"""The bond is faster than its best leg."""

import pytest

from openbond.lab.layout import LINES
from openbond.lab.speed import Speed, SpeedTest

from .site import Site

ATTEMPTS = 3

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]


def test_one_tcp_flow_gets_more_than_the_best_leg_gives(site: Site) -> None:
    with SpeedTest(site.lab) as test:
        best = test.leg(LINES[2], seconds=3)
        bonds: list[Speed] = []
        # Both ends, all lines and iperf3 share one machine; what else it does at the time counts
        # against the bond alone. So the bond may try again.
        while len(bonds) < ATTEMPTS and not any(is_faster(bond, best) for bond in bonds):
            bonds.append(test.bond(seconds=4))

    assert is_faster(bonds[-1], best), (bonds, best)


def is_faster(bond: Speed, leg: Speed) -> bool:
    """Say whether the bond gives clearly more than the leg, both ways."""
    return bond.down > leg.down * 1.2 and bond.up > leg.up * 1.2
