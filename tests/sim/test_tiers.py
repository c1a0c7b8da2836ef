"""Which legs carry customers' packets, seen on the lines (behaviour 2.6, 2.8)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from openbond.tunnel.settings import BondSettings, Distribution, LegSettings, LinkMode, Role
from tests.sim.internet import FAR, SITE, Internet, Line, bond_settings
from tests.sim.traffic import READY, numbers, stream, up

Settings = Callable[..., BondSettings]


def changed(leg_id: int, **changes: object) -> Settings:
    """Return settings with one leg changed at both ends."""

    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        some = [replace(leg, **changes) if leg.id == leg_id else leg for leg in legs]  # type: ignore[arg-type]
        return bond_settings(role, *some)

    return settings


def three() -> dict[int, Line]:
    return {1: Line(4), 2: Line(4), 3: Line(4)}


def data(internet: Internet, role: Role = SITE) -> dict[int, int]:
    return {leg: internet.data[role, leg] for leg in internet.lines}


# -- failover -------------------------------------------------------------------------------------


def test_a_failover_leg_carries_not_even_overflow() -> None:
    internet = up(three(), settings=changed(3, failover=True))

    stream(internet, SITE, mbps=20, seconds=1.0)
    internet.run(1.5)

    assert data(internet)[3] == 0
    assert min(data(internet)[1], data(internet)[2]) > 0


def test_a_failover_leg_takes_over_and_gives_back_with_the_first_packet() -> None:
    internet = up(three(), settings=changed(3, failover=True))
    stream(internet, SITE, mbps=2, seconds=20.0)
    internet.run(1.0)

    internet.lines[1].cut()
    internet.lines[2].cut()
    internet.run(3.0)
    took_over = data(internet)[3]
    internet.lines[1].mend()
    internet.run(READY + 2.0)
    gave_back, others = data(internet)[3], data(internet)[1]
    internet.run(1.0)

    assert took_over > 0
    assert data(internet)[3] == gave_back
    assert data(internet)[1] > others


# -- speed 0, modes -------------------------------------------------------------------------------


def test_speed_0_in_one_direction_bars_the_leg_that_way_only() -> None:
    internet = up(three(), settings=changed_at(SITE, 2, send_bps=0.0))

    stream(internet, SITE, mbps=15, seconds=1.0)
    stream(internet, FAR, mbps=15, seconds=1.0)
    internet.run(1.5)

    assert data(internet, SITE)[2] == 0
    assert data(internet, FAR)[2] > 0
    assert internet.carried[SITE, 2] > 0  # probes and echoes


def changed_at(end: Role, leg_id: int, **changes: object) -> Settings:
    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        if role is not end:
            return bond_settings(role, *legs)
        return changed(leg_id, **changes)(role, *legs)

    return settings


def test_an_idle_leg_is_probed_and_carries_no_customers_data() -> None:
    internet = up(three(), settings=changed(2, mode=LinkMode.IDLE))

    stream(internet, SITE, mbps=15, seconds=1.0)
    internet.run(1.5)

    assert data(internet)[2] == 0
    assert internet.carried[SITE, 2] > 0


def test_an_offline_leg_carries_nothing_at_all() -> None:
    internet = up(three(), settings=changed(2, mode=LinkMode.OFFLINE))

    stream(internet, SITE, mbps=15, seconds=1.0)
    internet.run(1.5)

    assert internet.carried[SITE, 2] == internet.carried[FAR, 2] == 0


@pytest.mark.parametrize("mode", [LinkMode.IDLE, LinkMode.OFFLINE])
def test_a_leg_taken_out_under_load_loses_nothing_that_waits_for_it(mode: LinkMode) -> None:
    internet = up({1: Line(8), 2: Line(8)})
    sent = stream(internet, SITE, mbps=7, seconds=1.0)
    internet.run(0.5)

    for role in (SITE, FAR):
        bond = internet.bonds[role]
        bond.reconfigure(changed(1, mode=mode)(role, *bond.settings.legs), internet.now)
    before = data(internet)[1]
    internet.run(1.5)

    assert data(internet)[1] <= before
    # An offline leg is deaf at once: what was on the line is lost unless it was repaired.
    assert len(set(numbers(internet.packets(FAR)))) >= (sent if mode is LinkMode.IDLE else sent - 8)


# -- last resort ----------------------------------------------------------------------------------


def test_the_only_leg_carries_data_while_it_is_still_tested() -> None:
    internet = Internet({1: Line(4)})
    internet.run(2.0)
    assert internet.bonds[SITE].report().legs[0].state == "testing"

    sent = stream(internet, SITE, mbps=1, seconds=0.5)
    internet.run(1.0)

    assert len(internet.packets(FAR)) == sent


def test_a_leg_in_testing_carries_nothing_beside_one_that_is_up() -> None:
    internet = up({1: Line(4), 2: Line(4)})
    internet.lines[2].cut()
    internet.run(2.0)
    internet.lines[2].mend()
    internet.run(2.0)
    assert internet.bonds[SITE].report().legs[1].state == "testing"
    before = data(internet)[2]

    stream(internet, SITE, mbps=6, seconds=1.0)
    internet.run(1.0)

    assert data(internet)[2] == before


# -- weighted round robin -------------------------------------------------------------------------


@pytest.mark.parametrize("load", [0.5, 1.5], ids=["half load", "overload"])
def test_round_robin_keeps_to_the_speeds_within_five_percent_over_a_second(load: float) -> None:
    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        return bond_settings(role, *legs, distribution=Distribution.WEIGHTED_ROUND_ROBIN)

    speeds = {1: 4.0, 2: 10.0, 3: 20.0}
    lines = {leg: Line(mbps, 0.010 * leg) for leg, mbps in speeds.items()}
    internet = up(lines, settings=settings)
    stream(internet, SITE, mbps=34 * load, seconds=2.5)
    internet.run(0.5)

    before = data(internet)
    internet.run(1.0)

    carried = {leg: octets - before[leg] for leg, octets in data(internet).items()}
    for leg, mbps in speeds.items():
        assert carried[leg] / sum(carried.values()) == pytest.approx(mbps / 34, rel=0.05)


def test_round_robin_knows_no_spill_legs() -> None:
    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        return bond_settings(role, *legs, distribution=Distribution.WEIGHTED_ROUND_ROBIN)

    internet = up({1: Line(20), 2: Line(4, 0.120)}, settings=settings)

    stream(internet, SITE, mbps=3, seconds=1.0)
    internet.run(1.5)

    assert data(internet)[2] > 0
    assert [leg.spill_reason for leg in internet.bonds[SITE].report().legs] == ["", ""]
