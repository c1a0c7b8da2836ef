"""Which charts there are, over which spans, and how cells become points (behaviour 4.8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from openbond.wire.metrics import Kind, RollUp, Series

from .gathering import Wanted
from .roll_ups import Cells, Key
from .series import ITSELF, LEG, Told, table_of

MINUTE_S, HOUR_S = 60, 3600
SOME_LEG = 1


@dataclass(frozen=True, slots=True)
class Span:
    """`points` buckets of `bucket_s` seconds, made of cells of `step_s`.

    A step as long as the bucket, and shorter than a minute, means samples.
    """

    bucket_s: int
    points: int
    step_s: int

    @property
    def is_of_samples(self) -> bool:
        return self.step_s < MINUTE_S


SPANS = {
    "15min": Span(10, 90, 10),
    "1h": Span(10, 360, 10),
    "6h": Span(60, 360, MINUTE_S),
    "day": Span(240, 360, MINUTE_S),
    "week": Span(1_680, 360, MINUTE_S),
    "month": Span(7_200, 360, HOUR_S),
    "year": Span(87_600, 360, HOUR_S),
}


class Axis(StrEnum):
    """Upload is drawn above the axis, download below; everything else above."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, or one for each leg. `told`: by whom it is measured."""

    name: str
    told: Told
    series: str
    axis: Axis = Axis.ABOVE


@dataclass(frozen=True, slots=True)
class Chart:
    lines: tuple[Line, ...]
    is_per_leg: bool = False


_BONDER, _AGGREGATOR = Told.BOND_BY_BONDER, Told.BOND_BY_AGGREGATOR
_TRAFFIC = (Line("up", _BONDER, "up"), Line("down", _BONDER, "down", Axis.BELOW))

CHARTS = {
    "tunnel_traffic": Chart(_TRAFFIC),
    "tunnel_latency": Chart(
        (
            Line("mean", _BONDER, "latency"),
            Line("deviation", _BONDER, "latency_deviation"),
        )
    ),
    "leg_traffic": Chart(_TRAFFIC, is_per_leg=True),
    "leg_latency": Chart((Line("latency", _BONDER, "latency"),), is_per_leg=True),
    "leg_loss": Chart(
        (
            # Each end knows what is lost of what it sends.
            Line("up", _BONDER, "loss_up"),
            Line("down", _AGGREGATOR, "loss_down", Axis.BELOW),
        ),
        is_per_leg=True,
    ),
    "leg_state_changes": Chart((Line("changes", _BONDER, "state_changes"),), is_per_leg=True),
    "cpu": Chart((Line("bonder", Told.NODE, "cpu"),)),
}

# How a unit of the wire is shown: the unit, and what a value is multiplied by.
SHOWN_UNITS = {
    "µs": ("ms", 0.001),
    "1/1000": ("%", 0.1),
    "1/100": ("", 0.01),
    "1/10 °C": ("°C", 0.1),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the buckets of a chart lie: from `start_s`, a multiple of the bucket, to now.

    `first_cell_s` and `cells`: the cells that are gathered for it. `edges`: the number of the
    first cell of each bucket, and one more: a cell belongs to the bucket in which it begins.
    """

    start_s: int
    first_cell_s: int
    cells: int
    edges: list[int]


def frame(span: Span, *, now_s: int) -> Frame:
    """Return the frame whose last bucket is the one that goes on now."""
    end = (now_s // span.bucket_s + 1) * span.bucket_s
    start = end - span.points * span.bucket_s
    first = start // span.step_s * span.step_s
    edges = [
        -((first - start - number * span.bucket_s) // span.step_s)
        for number in range(span.points + 1)
    ]
    return Frame(start, first, edges[-1], edges)


def wanted_of(chart: Chart, told: Told) -> Wanted:
    """Return the series of a chart that one teller measures."""
    owner = SOME_LEG if chart.is_per_leg else ITSELF
    names = frozenset(key_of(line, owner)[1] for line in chart.lines if line.told is told)
    return Wanted(names, of_legs=chart.is_per_leg)


def key_of(line: Line, owner: int) -> Key:
    place = table_of(line.told, owner).place_of(line.series)
    if place is None:
        raise LookupError(line.series)  # a defect of CHARTS
    return owner, place


def series_of(chart: Chart, line: Line) -> Series:
    """Return what the wire says of the series of a line."""
    table = LEG if chart.is_per_leg else table_of(line.told, ITSELF)
    return next(series for series in table.series if series.name == line.series)


def values_of(chart: Chart) -> list[RollUp]:
    """Return how the lines of a chart may be rolled up; the first is the usual way."""
    ways = [series_of(chart, line).rolled_up for line in chart.lines]
    return [way for way in ways[0] if all(way in others for others in ways)]


def points(
    cells: Cells | None, edges: Sequence[int], series: Series, value: RollUp
) -> list[float | None]:
    """Return a value per bucket in the unit that is shown; None where no sample was."""
    if cells is None:
        return [None] * (len(edges) - 1)
    _, factor = SHOWN_UNITS.get(series.unit, ("", 1))
    if value in (RollUp.MAX, RollUp.MIN):
        return _extremes(cells, edges, value, factor)
    counts, sums = _buckets(cells.counts, edges), _buckets(cells.sums, edges)
    if series.kind is Kind.COUNT:
        return [total if count else None for count, total in zip(counts, sums, strict=True)]
    if factor == 1:
        return [
            round(total / count) if count else None
            for count, total in zip(counts, sums, strict=True)
        ]
    return [
        round(total * factor / count, 3) if count else None
        for count, total in zip(counts, sums, strict=True)
    ]


def shown_unit(series: Series) -> str:
    return SHOWN_UNITS.get(series.unit, (series.unit, 1))[0]


def _buckets(values: Sequence[int], edges: Sequence[int]) -> Sequence[int]:
    if edges[-1] - edges[0] == len(edges) - 1:
        return values[edges[0] : edges[-1]]
    return [sum(values[begin:end]) for begin, end in pairwise(edges)]


def _extremes(
    cells: Cells, edges: Sequence[int], value: RollUp, factor: float
) -> list[float | None]:
    pick: Callable[..., int] = max if value is RollUp.MAX else min
    column = cells.highs if value is RollUp.MAX else cells.lows
    found: list[float | None] = []
    for begin, end in pairwise(edges):
        filled = [column[place] for place in range(begin, end) if cells.counts[place]]
        found.append(round(pick(filled) * factor, 3) if filled else None)
    return found
