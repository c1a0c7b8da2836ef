"""The batch in which samples travel."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openbond.wire.metrics import (
    BOND_SERIES,
    DROPPED,
    LEG_SERIES,
    NODE_SERIES,
    BondMetrics,
    Column,
    Kind,
    LegMetrics,
    RollUp,
    lengthened,
    shortened,
)
from openbond.wire.reports import Metrics, Report

columns = st.lists(st.one_of(st.none(), st.integers(-200, 10**10)), min_size=1, max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(columns)
def test_a_column_arrives_as_it_was_measured(column: Column) -> None:
    assert lengthened(shortened(column), len(column)) == column


def test_what_does_not_change_travels_once() -> None:
    assert shortened([1500] * 6) == [1500]
    assert shortened([None] * 6) == [None]
    assert shortened([1500, None, 1500]) == [1500, None, 1500]
    assert shortened([]) == []


def test_a_column_that_fits_no_times_is_none() -> None:
    assert lengthened([1, 2], 3) is None
    assert lengthened([], 3) is None


def test_every_series_is_told_once_and_counts_are_summed() -> None:
    for table in (NODE_SERIES, BOND_SERIES, LEG_SERIES):
        names = [series.name for series in table]
        assert len(set(names)) == len(names)
        assert not any(name.startswith(DROPPED) for name in names)
        for series in table:
            is_summed = series.rolled_up == (RollUp.SUM,)
            assert is_summed == (series.kind is Kind.COUNT)


def test_a_batch_arrives_as_it_was_sent() -> None:
    leg = LegMetrics(leg_id=21, series={"latency": [20_100, None], "path_mtu": [1500]})
    report = Metrics(
        number=1,
        at_ms=1_790_000_020_000,
        interval_ms=10_000,
        times_ms=[1_790_000_010_000, 1_790_000_020_000],
        node={"cpu": [125, 130]},
        bonds=[BondMetrics(bond_id=7, series={"up": [None, 8_000]}, legs=[leg])],
    )

    line = msgspec.json.encode(report)

    assert msgspec.json.decode(line, type=Report) == report
