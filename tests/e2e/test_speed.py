"""The bond is faster than its best leg."""

import pytest

from openbond.lab.layout import LINES
from openbond.lab.speed import SpeedTest

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]


def test_one_tcp_flow_gets_more_than_the_best_leg_gives(site: Site) -> None:
    with SpeedTest(site.lab) as test:
        best = test.leg(LINES[2], seconds=4)
        bond = test.bond(seconds=6)

    assert bond.down > best.down * 1.2, (bond, best)
    assert bond.up > best.up * 1.2, (bond, best)
