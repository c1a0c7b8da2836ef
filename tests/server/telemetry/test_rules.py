"""The arithmetic of what was measured: packing, gathering, points."""

from array import array

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openbond.server.telemetry.rules.charts import (
    CHARTS,
    SPANS,
    frame,
    points,
    series_of,
    values_of,
    wanted_of,
)
from openbond.server.telemetry.rules.columns import packed, unpacked
from openbond.server.telemetry.rules.gathering import Gathering
from openbond.server.telemetry.rules.roll_ups import Cells, RollUps, decoded, encoded, rolled_up
from openbond.server.telemetry.rules.samples import Part, Samples
from openbond.server.telemetry.rules.series import ITSELF, Told
from openbond.wire.metrics import RollUp

NOON_S = 1_795_608_000
UP = (ITSELF, 0)

# A busy machine is no reason to fail.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
numbers = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40)


@patient
@given(numbers)
def test_numbers_come_back_as_they_were_packed(values: list[int]) -> None:
    assert list(unpacked(packed(values), len(values))) == values


def test_what_is_always_the_same_takes_no_room() -> None:
    assert len(packed([1500] * 60)) == 9
    assert len(packed([0, 1] * 30)) == 61
    assert len(packed([0, 40_000] * 30)) == 1 + 60 * array("i").itemsize


# -------------------------------------------------------------------------------------- gathering


def samples(values: list[int | None], *, start_s: int = NOON_S, every_s: int = 10) -> Samples:
    offsets = [every_s * 1000 * number for number in range(len(values))]
    return Samples(every_s * 1000, start_s * 1000, offsets, [Part(ITSELF, [(0, values)])])


def test_the_samples_of_a_minute_become_one_cell() -> None:
    gathering = Gathering(start_s=NOON_S, step_s=60, length=2)

    gathering.add_samples(samples([1, 2, None, 9, 5, 6, 100]))

    cells = gathering.cells[UP]
    assert (cells.counts, cells.sums) == ([5, 1], [23, 100])
    assert (cells.highs, cells.lows) == ([9, 100], [1, 100])


def test_what_lies_outside_is_left_out() -> None:
    gathering = Gathering(start_s=NOON_S, step_s=60, length=1)

    gathering.add_samples(samples([7] * 6, start_s=NOON_S - 60))
    gathering.add_samples(samples([8] * 6, start_s=NOON_S + 60))

    assert gathering.cells == {}


def test_a_moment_of_which_nothing_is_known_is_no_zero() -> None:
    gathering = Gathering(start_s=NOON_S, step_s=60, length=1)

    gathering.add_samples(samples([None, None]))

    assert gathering.cells[UP].counts == [0]


batches = st.lists(
    st.tuples(
        st.integers(0, 300), st.lists(st.none() | st.integers(-5, 1000), min_size=1, max_size=6)
    ),
    min_size=1,
    max_size=12,
)


@patient
@given(batches, st.integers(0, 12), st.sampled_from([60, 240, 300, 1680]))
def test_it_does_not_matter_by_which_roll_ups_a_sample_came(
    told: list[tuple[int, list[int | None]]], cut: int, bucket: int
) -> None:
    """Samples gathered at once, and in two passes of roll-ups that share cells, are the same."""
    all_samples = [samples(values, start_s=NOON_S + 7 * begin) for begin, values in told]
    at_once = Gathering(start_s=NOON_S, step_s=bucket, length=40)
    for one in all_samples:
        at_once.add_samples(one)

    in_passes = Gathering(start_s=NOON_S, step_s=bucket, length=40)
    for some in (all_samples[:cut], all_samples[cut:]):
        in_passes.add_roll_ups(minutes(some))

    for key, expected in at_once.cells.items():
        if any(expected.counts):
            found = in_passes.cells[key]
            assert (found.counts, found.sums) == (expected.counts, expected.sums)
            assert filled(found, found.highs) == filled(expected, expected.highs)


def minutes(some: list[Samples]) -> RollUps:
    gathering = Gathering(start_s=NOON_S, step_s=60, length=40)
    for one in some:
        gathering.add_samples(one)
    row = rolled_up(
        Told.BOND_BY_BONDER, gathering.cells, step_s=60, start_s=NOON_S, length=gathering.length
    )
    return decoded(encoded(row))


def filled(cells: Cells, column: list[int]) -> list[int]:
    return [value for value, count in zip(column, cells.counts, strict=True) if count]


# ----------------------------------------------------------------------------------------- charts


def test_every_span_has_the_points_of_the_table() -> None:
    seconds = {name: span.bucket_s * span.points for name, span in SPANS.items()}

    assert seconds == {
        "15min": 900,
        "1h": 3600,
        "6h": 6 * 3600,
        "day": 86_400,
        "week": 7 * 86_400,
        "month": 30 * 86_400,
        "year": 365 * 86_400,
    }


@patient
@given(st.sampled_from(sorted(SPANS)), st.integers(0, 2**31))
def test_a_cell_belongs_to_the_bucket_in_which_it_begins(name: str, now_s: int) -> None:
    span = SPANS[name]

    where = frame(span, now_s=now_s)

    end_s = where.start_s + span.points * span.bucket_s
    assert where.start_s <= now_s < end_s <= now_s + span.bucket_s
    assert len(where.edges) == span.points + 1
    for number in (0, 1, span.points - 1, span.points):
        begin = where.start_s + number * span.bucket_s
        first = where.first_cell_s + where.edges[number] * span.step_s
        assert begin <= first < begin + span.step_s


def test_an_empty_bucket_is_a_gap() -> None:
    cells = Cells([6, 0, 6, 6], [60, 0, 66, 6], [11, 0, 12, 2], [9, 0, 10, 0])
    latency = series_of(CHARTS["tunnel_latency"], CHARTS["tunnel_latency"].lines[0])
    up = series_of(CHARTS["tunnel_traffic"], CHARTS["tunnel_traffic"].lines[0])

    assert points(cells, [0, 1, 2, 3, 4], up, RollUp.MEAN) == [10, None, 11, 1]
    assert points(cells, [0, 2, 4], up, RollUp.MEAN) == [10, 6]
    assert points(cells, [0, 2, 4], up, RollUp.MAX) == [11, 12]
    assert points(cells, [0, 2, 4], latency, RollUp.MEAN) == [0.01, 0.006]
    assert points(None, [0, 2, 4], up, RollUp.MEAN) == [None, None]


def test_a_count_is_summed() -> None:
    chart = CHARTS["leg_state_changes"]
    cells = Cells([6, 6, 0, 0], [2, 1, 0, 0], [0] * 4, [0] * 4)

    assert values_of(chart) == [RollUp.SUM]
    assert points(cells, [0, 2, 4], series_of(chart, chart.lines[0]), RollUp.SUM) == [3, None]


def test_every_chart_names_series_that_there_are() -> None:
    for chart in CHARTS.values():
        found = [name for told in Told for name in wanted_of(chart, told).names]
        assert len(found) == len(chart.lines)
        assert RollUp.MEAN in values_of(chart) or values_of(chart) == [RollUp.SUM]
