"""The newest report of an object as one number per series: the mean; of counts, per second."""

from collections.abc import Mapping
from typing import TypeAlias

from openbond.wire.metrics import Kind

from .samples import Part, Samples
from .series import Told, table_of

# Owner → name of the series as in wire → value in its unit; of a count, per second.
Means: TypeAlias = Mapping[int, Mapping[str, float]]


def means(told: Told, samples: Samples) -> Means:
    """Return the mean of what was known; series of which nothing was are left out."""
    return {part.owner: _means(told, part, samples.interval_ms) for part in samples.parts}


def _means(told: Told, part: Part, interval_ms: int) -> dict[str, float]:
    table = table_of(told, part.owner)
    found: dict[str, float] = {}
    for name, column in part.series:
        series = table.series_at(name)
        known = [value for value in column if value is not None]
        if series is None or not known:
            continue
        mean = sum(known) / len(known)
        is_count = series.kind is Kind.COUNT
        found[name if isinstance(name, str) else series.name] = (
            mean * 1000 / interval_ms if is_count else mean
        )
    return found
