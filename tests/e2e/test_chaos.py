"""Trouble on any legs in any order: whenever one leg works, so does the bond (item 57).

The long run is a command: `openbond lab chaos --seed N --steps 200`.
"""

from pathlib import Path

import pytest

from openbond.lab.chaos.run import run_chaos

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab"), pytest.mark.timeout(300)]

SEED, STEPS = 6, 7


def test_a_bond_bears_trouble_on_any_legs_in_any_order(site: Site, tmp_path: Path) -> None:
    report = run_chaos(site.lab, site.api, tmp_path, seed=SEED, steps=STEPS, tell=print)

    assert report.violations == []
