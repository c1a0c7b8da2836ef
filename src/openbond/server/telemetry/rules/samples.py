"""What one report told of one object: known series only, of fitting length, in sane bounds."""

from collections.abc import Collection, Iterable, Sequence

import msgspec
from msgspec import Struct

from openbond.wire.metrics import MOST_SAMPLES, BondMetrics, Column, Columns, lengthened
from openbond.wire.reports import Metrics

from .columns import MOST
from .series import ITSELF, Name, Told, table_of
from .times import DAY_MS

MOST_SERIES = 100  # of one owner
# A node keeps reports for seven days; what is older, or lies further apart, is no report of one.
OLDEST_MS = 8 * DAY_MS


class Part(Struct, frozen=True, array_like=True):
    """The series of one owner: the object itself, or one of its legs."""

    owner: int
    series: list[tuple[Name, Column]]


class Samples(Struct, frozen=True, array_like=True):
    """Times are the server's: ms since 1970, `offsets_ms` after the start. Columns as in wire."""

    interval_ms: int
    start_ms: int
    offsets_ms: list[int]
    parts: list[Part]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Samples)


def encoded(samples: Samples) -> bytes:
    return _encoder.encode(samples)


def decoded(row: bytes) -> Samples:
    """Raises msgspec.DecodeError for a row that is damaged."""
    return _decoder.decode(row)


def times_of(report: Metrics, *, sent_at_ms: int, now_ms: int) -> list[int] | None:
    """Return the times of a report's samples on the server's clock; None where they make no sense.

    Each is as long before now as it was before sending (behaviour 3.9).
    """
    if not 0 < len(report.times_ms) <= MOST_SAMPLES:
        return None
    ages = [max(0, sent_at_ms - at_ms) for at_ms in report.times_ms]
    if max(ages) > OLDEST_MS or max(ages) - min(ages) > DAY_MS:
        return None
    return [now_ms - age for age in ages]


def samples_of_node(report: Metrics, times_ms: Sequence[int]) -> Samples:
    return _samples(report, times_ms, [_part(Told.NODE, ITSELF, report.node, len(times_ms))])


def samples_of_bond(
    report: Metrics, bond: BondMetrics, told: Told, legs: Collection[int], times_ms: Sequence[int]
) -> Samples:
    """Return what is told of a bond and of those `legs` that it has."""
    length = len(times_ms)
    parts = [_part(told, ITSELF, bond.series, length)]
    parts += [
        _part(told, leg.leg_id, leg.series, length) for leg in bond.legs if leg.leg_id in legs
    ]
    return _samples(report, times_ms, parts)


def _samples(report: Metrics, times_ms: Sequence[int], parts: Iterable[Part]) -> Samples:
    start = times_ms[0]
    return Samples(
        interval_ms=min(max(1, report.interval_ms), DAY_MS),
        start_ms=start,
        offsets_ms=[at - start for at in times_ms],
        parts=[part for part in parts if part.series],
    )


def _part(told: Told, owner: int, columns: Columns, length: int) -> Part:
    table = table_of(told, owner)
    series: list[tuple[Name, Column]] = []
    for name, column in columns.items():
        place = table.place_of(name)
        if place is not None and lengthened(column, length) is not None:
            series.append((place, _within_bounds(column)))
    return Part(owner, series[:MOST_SERIES])


def _within_bounds(column: Column) -> Column:
    known = [value for value in column if value is not None]
    if not known or (min(known) > -MOST and max(known) < MOST):
        return column
    return [value if value is not None and -MOST < value < MOST else None for value in column]
