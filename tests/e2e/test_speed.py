"""The bond is faster than its best leg."""

import pytest

from openbond.lab.layout import LINES, AccessLine
from openbond.lab.speed import Speed, SpeedTest

from .site import Site

ATTEMPTS = 3
# So slow that a busy machine can fill them: then what is compared is the lines, not the machine.
# The lab's own speeds: `openbond lab speed`.
SLOW = {1: 4.0, 2: 6.0, 3: 12.0}  # Mbit/s

pytestmark = [pytest.mark.e2e, pytest.mark.speeds, pytest.mark.xdist_group("lab")]


def test_one_tcp_flow_gets_more_than_the_best_leg_gives(site: Site) -> None:
    for line in LINES:
        give(site, line, SLOW[line.number])
    site.wait_until_nodes_listen()
    try:
        with SpeedTest(site.lab) as test:
            best = test.leg(LINES[2], seconds=2)
            bonds: list[Speed] = []
            while len(bonds) < ATTEMPTS and not any(is_faster(bond, best) for bond in bonds):
                bonds.append(test.bond(seconds=3))
    finally:
        for line in LINES:
            give(site, line, line.mbps)
        site.wait_until_nodes_listen()

    assert is_faster(bonds[-1], best), (bonds, best)


def give(site: Site, line: AccessLine, mbps: float) -> None:
    """Make a line and its leg that fast, both ways."""
    site.lab.topology.set_rates(line, down=mbps, up=mbps)
    site.change_leg(site.leg(line).id, down_speed=mbps, up_speed=mbps)


def is_faster(bond: Speed, leg: Speed) -> bool:
    """Say whether the bond gives clearly more than the leg, both ways."""
    return bond.down > leg.down * 1.2 and bond.up > leg.up * 1.2
