"""Tuners on the lab's lines (issue 5, Must show 2), with few and short tests.

With the tests of the method, as an operator's tuning runs (some ten minutes):

    OPENBOND_TUNER_NUMBERS=idle_seconds=5 pytest -m e2e tests/e2e/test_tuners.py

The suite leaves out the bond tuner that succeeds: some four minutes with short tests, too:

    pytest -m long tests/e2e/test_tuners.py
"""

import os
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from openbond.lab.api import ApiRefused
from openbond.lab.layout import LINES
from openbond.lab.waiting import wait_until

from .conftest import SHORT_TUNINGS
from .site import Site, all_applied

DSL, CABLE, FIBRE = LINES
DOWN, UP = 47.0, 9.0
IS_SHORT = os.environ.get("OPENBOND_TUNER_NUMBERS", SHORT_TUNINGS) == SHORT_TUNINGS
PATIENCE = 150 if IS_SHORT else 1800
# Short tests on a busy machine see little of a line.
LEAST = 0.85 if IS_SHORT else 0.95
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.speeds,
    pytest.mark.xdist_group("lab"),
    pytest.mark.timeout(2 * PATIENCE),
]
SMALL = {DSL: (12.0, 6.0), CABLE: (10.0, 5.0)}
DISTRIBUTIONS = ("idmpq", "weighted_round_robin")
ENDED = ("succeeded", "failed", "cancelled")


class Speeds(Struct, frozen=True):
    down_speed: float
    up_speed: float


class LegTuning(Struct, frozen=True):
    url: str
    status: str
    recommendations: Speeds | None
    decision: str | None
    error: str
    tests: list[str]


class LegSpeeds(Struct, frozen=True):
    id: int
    down_speed: float
    up_speed: float


class BondSettings(Struct, frozen=True):
    legs: list[LegSpeeds]
    packet_distribution: str
    reorder_max_hold: int


class BondTuning(Struct, frozen=True):
    url: str
    status: str
    recommendations: BondSettings | None
    decision: str | None
    error: str
    tests: list[str]


class BondView(Struct, frozen=True):
    packet_distribution: str
    reorder_max_hold: int


class TestView(Struct, frozen=True):
    target: str
    status: str
    description: str

    __test__ = False


@pytest.fixture
def tuned_site(site: Site) -> Iterator[Site]:
    """The cable leg is told 100/100 Mbit/s; all legs get their own speeds back."""
    speeds = {leg.url: (leg.down_speed, leg.up_speed) for leg in site.bond().leg_list}
    set_speeds(site, site.leg(CABLE).url, 100, 100)
    yield site
    for url, (down, up) in speeds.items():
        set_speeds(site, url, down, up)


@pytest.fixture
def small_bond(tuned_site: Site) -> Iterator[Site]:
    """Two legs that are alike, on lines of 12/6 and 10/5 Mbit/s; the third leg is idle."""
    site = tuned_site
    before = settings_of(site)
    for line, (down, up) in SMALL.items():
        site.lab.topology.set_rates(line, down=down, up=up)
    site.set_mode(site.leg(FIBRE).id, "idle")
    site.wait_for_states({FIBRE.number: "idle"}, patience=30)
    yield site
    site.put_back()
    site.change_bond(
        packet_distribution=before.packet_distribution, reorder_max_hold=before.reorder_max_hold
    )


def settings_of(site: Site) -> BondView:
    return site.api.get(base(site), BondView)


def set_speeds(site: Site, url: str, down: float, up: float) -> None:
    site.api.patch(url, {"down_speed": down, "up_speed": up}, msgspec.Raw)


def refusal(site: Site, path: str, fields: dict[str, Any] | None = None) -> str:
    """Return what a request is refused with: a PATCH of fields, or a POST without them."""
    send = site.api.post if fields is None else site.api.patch
    with pytest.raises(ApiRefused) as refused:
        send(path, fields or {}, msgspec.Raw)
    assert refused.value.status == 400
    return str(refused.value)


def test_a_leg_tuner_finds_what_a_line_carries_and_accept_applies_it(tuned_site: Site) -> None:
    site = tuned_site
    leg = site.leg(CABLE)
    site.lab.topology.set_rates(CABLE, down=DOWN, up=UP)

    tuning = site.api.post(f"{base(site)}legs/{leg.id}/tuners/", {}, LegTuning)
    site.wait_for_states({CABLE.number: "testing"}, patience=60)

    assert site.can_ping(), "customers use the other legs"
    assert "tuning_in_progress" in refusal(site, leg.url, {"note": "x"})
    assert "tuning_in_progress" in refusal(site, f"{base(site)}tuners/")
    assert "not_finished" in refusal(site, f"{tuning.url}accept/")
    ended = wait_for_leg_tuning(site, tuning)
    assert ended.status == "succeeded", ended.error
    found = ended.recommendations
    assert found is not None
    assert LEAST * DOWN <= found.down_speed <= DOWN
    assert LEAST * UP <= found.up_speed <= UP
    assert (site.leg(CABLE).down_speed, site.leg(CABLE).up_speed) == (100, 100)

    since = site.last_update()
    site.api.post(f"{tuning.url}accept/", {}, msgspec.Raw)

    applied = site.leg(CABLE)
    assert (applied.down_speed, applied.up_speed) == (found.down_speed, found.up_speed)
    wait_until(
        lambda: all_applied(site.config_updates(since)),
        what="both ends have applied the speeds",
        patience=30,
    )
    assert len({row.node_id for row in site.config_updates(since)}) == 2
    assert "already_decided" in refusal(site, f"{tuning.url}accept/")
    assert "already_decided" in refusal(site, f"{tuning.url}decline/")
    assert "already_finished" in refusal(site, f"{tuning.url}cancel/")
    site.wait_until_whole()


@pytest.mark.long
@pytest.mark.timeout(4 * PATIENCE)
def test_a_bond_tuner_finds_what_two_lines_carry_and_accept_applies_it(small_bond: Site) -> None:
    site = small_bond
    before = settings_of(site)
    speeds = {leg.id: (leg.down_speed, leg.up_speed) for leg in site.bond().leg_list}

    tuning = site.api.post(f"{base(site)}tuners/", {}, BondTuning)
    site.wait_for_states({DSL.number: "testing"}, patience=60)

    assert site.can_ping(), "customers use the other leg"
    assert "tuning_in_progress" in refusal(site, base(site), {"note": "x"})
    assert "tuning_in_progress" in refusal(site, site.leg(DSL).url, {"note": "x"})
    assert "not_finished" in refusal(site, f"{tuning.url}accept/")
    ended = wait_for_bond_tuning(site, tuning, patience=3 * PATIENCE)
    assert (ended.status, ended.decision) == ("succeeded", "pending"), ended.error
    found = ended.recommendations
    assert found is not None
    assert len(found.legs) == 2
    for leg in found.legs:
        down, up = next(of for line, of in SMALL.items() if site.leg(line).id == leg.id)
        assert LEAST * down <= leg.down_speed <= down
        assert LEAST * up <= leg.up_speed <= up
    assert 30 <= found.reorder_max_hold <= 500
    assert found.packet_distribution in tried_distributions(site, ended)
    assert settings_of(site) == before, "nothing is changed before somebody accepts"
    now = {leg.id: (leg.down_speed, leg.up_speed) for leg in site.bond().leg_list}
    assert now == speeds

    since = site.last_update()
    site.api.post(f"{tuning.url}accept/", {}, msgspec.Raw)

    applied = settings_of(site)
    assert applied.packet_distribution == found.packet_distribution
    assert applied.reorder_max_hold == found.reorder_max_hold
    now = {leg.id: (leg.down_speed, leg.up_speed) for leg in site.bond().leg_list}
    assert now == speeds | {leg.id: (leg.down_speed, leg.up_speed) for leg in found.legs}
    wait_until(
        lambda: all_applied(site.config_updates(since)),
        what="both ends have applied the settings",
        patience=30,
    )
    assert len({row.node_id for row in site.config_updates(since)}) == 2
    site.wait_for_states({DSL.number: "up", CABLE.number: "up"}, patience=30)
    assert site.can_ping()


def tried_distributions(site: Site, tuning: BondTuning) -> set[str]:
    """Return the distributions with which a tuning tested the bond, each way, all of them well."""
    tests = [site.api.get(url, TestView) for url in tuning.tests]
    of_bond = [test for test in tests if test.target == "bond"]
    assert [test.status for test in of_bond] == ["finished"] * 4, of_bond
    tried = {name for name in DISTRIBUTIONS for test in of_bond if name in test.description}
    assert tried == set(DISTRIBUTIONS)
    return tried


def test_a_bond_tuner_fails_when_a_leg_is_lost_names_it_and_changes_nothing(site: Site) -> None:
    speeds = {leg.id: (leg.down_speed, leg.up_speed) for leg in site.bond().leg_list}
    first = min(site.bond().leg_list, key=lambda leg: leg.id)
    line = next(one for one in LINES if one.interface == first.interface)

    tuning = site.api.post(f"{base(site)}tuners/", {}, BondTuning)
    site.wait_for_states({line.number: "testing"}, patience=60)
    site.cut(line)
    ended = wait_for_bond_tuning(site, tuning)

    assert ended.status == "failed"
    assert ended.recommendations is None
    assert f"Leg {first.id} ({first.interface})" in ended.error
    assert ended.error.startswith(("leg_lost: ", "test_failed: ")), ended.error
    assert "not_successful" in refusal(site, f"{tuning.url}accept/")
    site.mend(line)
    site.wait_until_whole()
    after = {leg.id: (leg.down_speed, leg.up_speed) for leg in site.bond().leg_list}
    assert after == speeds


def test_a_cancelled_tuner_gives_the_leg_back(site: Site) -> None:
    leg = site.leg(FIBRE)
    tuning = site.api.post(f"{base(site)}legs/{leg.id}/tuners/", {}, LegTuning)
    site.wait_for_states({FIBRE.number: "testing"}, patience=60)

    site.api.post(f"{tuning.url}cancel/", {}, msgspec.Raw)

    # The leg is kept 8 s for a next test at most, and then measured for 5 s.
    site.wait_for_states({FIBRE.number: "up"}, patience=30)
    cancelled = site.api.get(tuning.url, LegTuning)
    assert (cancelled.status, cancelled.decision) == ("cancelled", None)
    assert "already_finished" in refusal(site, f"{tuning.url}cancel/")


def base(site: Site) -> str:
    return f"/api/v3/bonds/{site.bond_id}/"


def wait_for_leg_tuning(site: Site, tuning: LegTuning) -> LegTuning:
    wait_until(
        lambda: site.api.get(tuning.url, LegTuning).status in ENDED,
        what="the leg tuning has ended",
        patience=PATIENCE,
        pause=0.5,
    )
    return site.api.get(tuning.url, LegTuning)


def wait_for_bond_tuning(site: Site, tuning: BondTuning, patience: float = PATIENCE) -> BondTuning:
    wait_until(
        lambda: site.api.get(tuning.url, BondTuning).status in ENDED,
        what="the bond tuning has ended",
        patience=patience,
        pause=0.5,
    )
    return site.api.get(tuning.url, BondTuning)
