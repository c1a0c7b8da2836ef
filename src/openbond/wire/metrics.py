"""The series that nodes measure, and how samples travel (behaviour 4.7).

A report carries the times of its samples once and, per object and series, a column of values as
long as the times. All values are whole numbers in the unit of the table below. None says that
nothing is known of that moment: the daemon was away, or a counter began anew. No series is a
counter: a count is what happened in the interval that ends at the sample's time.

`up` is from the bonder to the aggregator, whichever end tells it.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

# As many as the times; or one, when it is the same at all times.
Column: TypeAlias = list[int | None]
Columns: TypeAlias = dict[str, Column]

# A report is cut at so many samples: ten minutes at one a second.
MOST_SAMPLES = 600


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNT = "count"  # what happened in the interval


class RollUp(StrEnum):
    """How many samples become one value."""

    MEAN = "mean"
    MAX = "max"
    MIN = "min"
    SUM = "sum"


class Series(Struct, frozen=True, kw_only=True):
    """One series of an object. `unit` is that of the values on the wire."""

    name: str
    unit: str
    kind: Kind = Kind.GAUGE
    rolled_up: tuple[RollUp, ...] = (RollUp.MEAN, RollUp.MAX)


def _count(name: str, unit: str) -> Series:
    return Series(name=name, unit=unit, kind=Kind.COUNT, rolled_up=(RollUp.SUM,))


NODE_SERIES = (
    Series(name="load_1", unit="1/100"),
    Series(name="load_5", unit="1/100"),
    Series(name="load_15", unit="1/100"),
    Series(name="cpu", unit="1/1000"),  # busy share of all processors
    Series(name="memory", unit="1/1000"),  # share in use
    Series(name="disk", unit="1/1000"),  # share in use where the node keeps its state
    Series(name="temperature", unit="1/10 °C"),  # of the hottest sensor
    Series(name="uptime", unit="s"),
)
BOND_SERIES = (
    Series(name="up", unit="bit/s"),  # customers' octets
    Series(name="down", unit="bit/s"),
    Series(name="latency", unit="µs"),  # mean of all round trips measured in the interval
    Series(name="latency_deviation", unit="µs"),  # their standard deviation
    _count("late", "packets"),  # that came after their hold had ended
    _count("held", "packets"),  # that had to wait for an earlier one
)
LEG_SERIES = (
    Series(name="up", unit="bit/s"),  # outer IP packets
    Series(name="down", unit="bit/s"),
    Series(name="latency", unit="µs"),
    Series(name="jitter", unit="µs"),
    Series(name="loss_up", unit="1/1000"),  # told by the bonder
    Series(name="loss_down", unit="1/1000"),  # told by the aggregator
    _count("state_changes", "changes"),
    # In force: configured or adapted. Each end tells the direction in which it sends.
    Series(name="speed_up", unit="kbit/s", rolled_up=(RollUp.MEAN, RollUp.MIN)),
    Series(name="speed_down", unit="kbit/s", rolled_up=(RollUp.MEAN, RollUp.MIN)),
    Series(name="path_mtu", unit="bytes", rolled_up=(RollUp.MEAN, RollUp.MIN)),
    Series(name="signal", unit="dBm", rolled_up=(RollUp.MEAN,)),  # mobile legs
)
# Beside BOND_SERIES a bond has one count of packets or datagrams per reason why its daemon dropped
# some: this and the reason. A reason without a drop in the whole report is left out.
DROPPED = "dropped_"


class LegMetrics(Struct, frozen=True, kw_only=True):
    leg_id: int
    series: Columns


class BondMetrics(Struct, frozen=True, kw_only=True):
    """What this end measured of a bond and its legs."""

    bond_id: int
    series: Columns
    legs: list[LegMetrics] = []


def shortened(column: Column) -> Column:
    """Return the column as it travels: one value where all are the same."""
    return column[:1] if column and all(value == column[0] for value in column) else column


def lengthened(column: Column, length: int) -> Column | None:
    """Return the column with one value per time; None when it has neither one nor as many."""
    if len(column) == length:
        return column
    return column * length if len(column) == 1 else None
