"""The bond tuner's method over simulated lines (behaviour 4.6)."""

from dataclasses import dataclass, field, replace

import pytest

from openbond.server.measurement.rules.bond_tuner import (
    BondSettings,
    LegToTune,
    Loaded,
    hold_for,
    tune_bond,
    unlike_leg,
)
from openbond.server.measurement.rules.tuning import (
    FailureCode,
    Measured,
    Numbers,
    TuningFailed,
    Wanted,
    next_step,
)
from openbond.wire.speed_tests import Direction
from openbond.wire.states import Distribution

from .lines import Line, Way

A = LegToTune(1, "leg 1 (eth1)", is_failover=False)
B = LegToTune(2, "leg 2 (eth2)", is_failover=False)
F = LegToTune(3, "leg 3 (wwan0)", is_failover=True)
DEFAULTS = Numbers()


@dataclass
class Site:
    """Legs on lines; of the bond, what each distribution gives in kbit/s."""

    lines: dict[int, Line]
    of_bond: dict[Distribution, float] = field(
        default_factory=lambda: dict.fromkeys(Distribution, 50_000.0)
    )
    troubles: dict[int | None, TuningFailed] = field(default_factory=dict)
    tests: list[Wanted] = field(default_factory=list)

    def run(self, wanted: Wanted) -> Measured:
        self.tests.append(wanted)
        if wanted.leg_id is not None:
            return self.lines[wanted.leg_id].run(wanted)
        assert wanted.trial is not None
        return Measured(self.of_bond[wanted.trial.distribution], 20.0, 1.0, 0.0)

    def tune(self, *legs: LegToTune) -> BondSettings:
        results: dict[int | None, list[Measured]] = {}
        for _ in range(300):
            step = next_step(tune_bond(legs, DEFAULTS), results, self.troubles)
            if isinstance(step, BondSettings):
                return step
            results.setdefault(step.leg_id, []).append(self.run(step))
        raise AssertionError("the tuner never comes to an end")

    def order_of_legs(self) -> list[int | None]:
        order: list[int | None] = []
        for test in self.tests:
            if not order or order[-1] != test.leg_id:
                order.append(test.leg_id)
        return order


def line(kbps: float, idle_ms: float = 20.0, jitter_ms: float = 1.0) -> Line:
    way = Way(kbps, idle_ms=idle_ms, jitter_ms=jitter_ms)
    return Line(down=way, up=replace(way, kbps=kbps / 2))


def unavailable() -> TuningFailed:
    return TuningFailed(FailureCode.LEG_UNAVAILABLE, "It could not be tested for 30 min.")


def test_all_legs_are_tuned_one_after_the_other_failover_legs_last() -> None:
    site = Site({1: line(20_000), 2: line(50_000), 3: line(10_000)})

    found = site.tune(F, A, B)

    assert [leg.leg_id for leg in found.legs] == [1, 2, 3]
    assert site.order_of_legs()[:3] == [1, 2, 3]
    for leg, kbps in zip(found.legs, (20_000, 50_000, 10_000), strict=True):
        assert 0.93 * kbps <= leg.down.kbps <= kbps
        assert 0.93 * kbps / 2 <= leg.up.kbps <= kbps / 2
    assert found.left_out == ()


def test_a_leg_that_cannot_be_tuned_fails_the_whole_and_is_named() -> None:
    site = Site({1: line(20_000), 2: line(50_000)}, troubles={2: unavailable()})

    with pytest.raises(TuningFailed) as raised:
        site.tune(A, B)

    assert raised.value.code is FailureCode.LEG_UNAVAILABLE
    assert raised.value.leg_id == 2
    assert raised.value.words == "leg 2 (eth2): It could not be tested for 30 min."


def test_a_leg_too_unsteady_fails_the_whole_and_is_named() -> None:
    unsteady = line(50_000)
    unsteady.down = replace(unsteady.down, wavering=0.9, stays_wavering=True)

    with pytest.raises(TuningFailed, match="unsteady: leg 2 \\(eth2\\): The download gave"):
        Site({1: line(20_000), 2: unsteady}).tune(A, B)


def test_a_failover_leg_that_cannot_be_tuned_is_left_out_with_a_note() -> None:
    site = Site({1: line(20_000), 2: line(50_000)}, troubles={3: unavailable()})

    found = site.tune(A, B, F)

    assert [leg.leg_id for leg in found.legs] == [1, 2]
    (left_out,) = found.left_out
    assert left_out.leg_id == 3
    assert left_out.words == "leg_unavailable: It could not be tested for 30 min."
    assert all(test.leg_id != 3 for test in site.tests)


def test_a_failover_leg_lost_after_it_was_tuned_does_not_count_for_the_hold() -> None:
    site = Site({1: line(20_000), 2: line(20_000), 3: line(20_000, idle_ms=180)})
    both = site.tune(A, B, F)
    results: dict[int | None, list[Measured]] = {
        leg: [site.run(test) for test in list(site.tests) if test.leg_id == leg]
        for leg in (None, 1, 2, 3)
    }
    results[3] = results[3][:-2]  # those of its latency never ran

    found = next_step(tune_bond([A, B, F], DEFAULTS), results, {3: unavailable()})

    assert isinstance(found, BondSettings)
    assert len(found.legs) == 3
    assert both.reorder_max_hold > found.reorder_max_hold == 30


def test_nothing_is_recommended_when_only_failover_legs_are_there_and_none_works() -> None:
    with pytest.raises(TuningFailed, match="none was tuned"):
        Site({}, troubles={3: unavailable()}).tune(F)


def test_latencies_are_taken_at_a_quarter_of_each_speed() -> None:
    site = Site({1: line(20_000), 2: line(20_000, idle_ms=80)})

    found = site.tune(A, B)

    light = site.tests[-4:]
    assert [(test.leg_id, test.direction) for test in light] == [
        (1, Direction.DOWNLOAD),
        (2, Direction.DOWNLOAD),
        (1, Direction.UPLOAD),
        (2, Direction.UPLOAD),
    ]
    assert {test.seconds for test in light} == {10}
    assert light[0].rate_limit_kbps == found.legs[0].down.kbps // 4
    assert found.reorder_max_hold == 70, "twice the half of 60 ms, and the jitter, up to 10 ms"
    assert "30 ms apart" in found.hold_words


def loaded(name: str = "a", **differs: float) -> Loaded:
    values = {"kbps": 20_000, "rtt": 20.0, "jitter": 1.0, "loss": 0.0} | differs
    return Loaded(name, int(values["kbps"]), values["rtt"], values["jitter"], values["loss"])


@pytest.mark.parametrize(
    ("down_rtt", "up_rtt", "jitter", "hold"),
    [
        pytest.param(20, 20, 1, 30, id="never less than 30 ms"),
        pytest.param(61, 20, 0, 50, id="41 ms are rounded up"),
        pytest.param(20, 100, 9, 90, id="the larger direction decides"),
        pytest.param(700, 20, 9, 500, id="never more than 500 ms"),
    ],
)
def test_the_hold_is_the_larger_direction_s(
    down_rtt: float, up_rtt: float, jitter: float, hold: int
) -> None:
    down = [loaded("a"), loaded("b", rtt=down_rtt, jitter=jitter)]
    up = [loaded("a"), loaded("b", rtt=up_rtt, jitter=jitter)]

    assert hold_for(down, up)[0] == hold


def test_jitter_alone_may_make_a_direction_the_larger_one() -> None:
    down = [loaded("a"), loaded("b", rtt=40)]
    up = [loaded("a"), loaded("b", rtt=30, jitter=60)]

    assert hold_for(down, up)[0] == 70


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"kbps": 10_000}, "half as fast"),
        ({"kbps": 10_001}, ""),
        ({"rtt": 70.0}, "slower to answer"),
        ({"rtt": 69.0}, ""),
        ({"loss": 1.0}, "loses more"),
        ({"loss": 0.9}, ""),
    ],
)
def test_which_leg_takes_spill_only(differs: dict[str, float], words: str) -> None:
    found = unlike_leg([loaded("a"), loaded("b", **differs)])

    assert (words in found) if found else not words


def test_a_far_leg_takes_spill_only_also_next_to_a_best_leg_that_is_not_the_nearest() -> None:
    best, near, far = loaded("best", kbps=30_000, rtt=150), loaded("near"), loaded("far", rtt=190)

    assert "far is far away" in (unlike_leg([best, near, far]) or "")


@pytest.mark.parametrize(
    ("weighted", "expected"),
    [(52_400, Distribution.IDMPQ), (52_500, Distribution.WEIGHTED_ROUND_ROBIN)],
)
def test_weighted_round_robin_must_be_better_by_5_percent(
    weighted: float, expected: Distribution
) -> None:
    of_bond = {Distribution.IDMPQ: 50_000.0, Distribution.WEIGHTED_ROUND_ROBIN: weighted}
    site = Site({1: line(25_000), 2: line(25_000)}, of_bond)

    found = site.tune(A, B)

    assert found.packet_distribution is expected
    assert "50.0 Mbit/s" not in found.distribution_words
    assert "100.0 Mbit/s with idmpq" in found.distribution_words
    of_bond_tests = [test for test in site.tests if test.leg_id is None]
    assert {test.direction for test in of_bond_tests} == set(Direction)
    for test in of_bond_tests:
        assert test.trial is not None
        assert test.trial.speeds == found.legs, "with the speeds that were found"


def test_legs_that_are_alike_keep_idmpq_when_the_bond_cannot_be_tested() -> None:
    lost = TuningFailed(FailureCode.LEG_LOST, "The leg was lost for more than 30 s; it is down.")
    site = Site({1: line(25_000), 2: line(25_000)}, troubles={None: lost})

    found = site.tune(A, B)

    assert found.packet_distribution is Distribution.IDMPQ
    assert found.distribution_words.endswith(f"could not be tried: {lost.words}")


def test_it_is_not_tried_with_a_leg_that_takes_spill_only() -> None:
    site = Site({1: line(20_000), 2: line(50_000)})

    found = site.tune(A, B)

    assert found.packet_distribution is Distribution.IDMPQ
    assert found.distribution_words.startswith("leg 1 (eth1) is half as fast or less than leg 2")


def test_one_leg_has_nothing_to_distribute_and_needs_the_least_hold() -> None:
    found = Site({1: line(20_000)}).tune(A)

    assert (found.packet_distribution, found.reorder_max_hold) == (Distribution.IDMPQ, 30)
    assert "Only one leg" in found.distribution_words


def test_there_is_no_tcp_proxy_to_recommend() -> None:
    found = Site({1: line(20_000)}).tune(A)

    assert (found.tcp_proxy, found.proxy_words) == (False, "This product has no TCP proxy.")
