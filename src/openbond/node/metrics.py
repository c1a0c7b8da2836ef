"""What is measured between two readings of counters, and batches of it (behaviour 4.7). Pure.

A counter that began anew, a daemon that did not answer, a machine that slept: no value, and never a
wrong one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import TypeAlias

from openbond.node.daemon_messages import LegStatus, StatusAnswer
from openbond.node.linux.health import Health
from openbond.wire.config import LegConfig, NodeContent
from openbond.wire.metrics import (
    DROPPED,
    BondMetrics,
    Columns,
    LegMetrics,
    shortened,
)
from openbond.wire.states import NodeKind

Values: TypeAlias = dict[str, int | None]
LegKey: TypeAlias = tuple[int, int]  # bond and leg

# A sample that covers more than this many intervals is none: the machine slept, or was stuck.
LATE_INTERVALS = 3.0
BITS = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """What all counters showed at one time (`at`: monotonic, s)."""

    at: float
    health: Health
    statuses: Mapping[int, StatusAnswer]
    state_changes: Mapping[LegKey, int]
    signals: Mapping[int, int] = field(default_factory=dict)  # dBm, by leg


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured in the interval that ended `at` (monotonic, s)."""

    at: float
    node: Values
    bonds: dict[int, Values] = field(default_factory=dict)
    legs: dict[LegKey, Values] = field(default_factory=dict)


def sample_between(
    before: Reading, after: Reading, content: NodeContent, *, interval: float
) -> Sample | None:
    """Return what was measured between two readings; None when they are too far apart."""
    seconds = after.at - before.at
    if not 0 < seconds <= LATE_INTERVALS * interval:
        return None
    sample = Sample(after.at, _node_values(before.health, after.health))
    for bond in content.bonds:
        old, new = before.statuses.get(bond.id), after.statuses.get(bond.id)
        if new is None:
            continue
        if old is not None and old.started_at_ms != new.started_at_ms:
            old = None
        legs = {leg.leg_id: leg for leg in new.legs}
        old_legs = {leg.leg_id: leg for leg in old.legs} if old else {}
        sample.bonds[bond.id] = _bond_values(old, new, content.kind, seconds)
        for leg in bond.legs:
            if leg.id in legs:
                key = bond.id, leg.id
                values = _leg_values(old_legs.get(leg.id), legs[leg.id], leg, content.kind, seconds)
                values["state_changes"] = after.state_changes.get(key, 0) - (
                    before.state_changes.get(key, 0)
                )
                if leg.id in after.signals:
                    values["signal"] = after.signals[leg.id]
                sample.legs[key] = values
    return sample


def _node_values(before: Health, after: Health) -> Values:
    loads = after.loads or (None, None, None)
    return {
        "load_1": loads[0],
        "load_5": loads[1],
        "load_15": loads[2],
        "cpu": _busy(before, after),
        "memory": after.memory,
        "disk": after.disk,
        "temperature": after.temperature,
        "uptime": after.uptime,
    }


def _busy(before: Health, after: Health) -> int | None:
    ticks = _risen(before.all_ticks, after.all_ticks)
    busy = _risen(before.busy_ticks, after.busy_ticks)
    return round(1000 * busy / ticks) if ticks and busy is not None else None


def _bond_values(
    before: StatusAnswer | None, after: StatusAnswer, kind: NodeKind, seconds: float
) -> Values:
    risen = _Risen(before.counters if before else None, after.counters)
    up, down = _ways(kind, "inner_sent_octets", "inner_received_octets")
    old_legs = {leg.leg_id: leg for leg in before.legs} if before else {}
    of_legs = [
        _Risen(old.counters if (old := old_legs.get(leg.leg_id)) else None, leg.counters)
        for leg in after.legs
    ]
    latency, deviation = _latency(of_legs)
    values: Values = {
        "up": risen.rate(up, seconds),
        "down": risen.rate(down, seconds),
        "latency": latency,
        "latency_deviation": deviation,
        "late": _sum(leg.of("late") for leg in of_legs),
        "held": risen.of("held"),
    }
    reasons = {name for name in after.counters if name.startswith(DROPPED)}
    for each in after.legs:
        reasons |= {name for name in each.counters if name.startswith(DROPPED)}
    for name in sorted(reasons):
        values[name] = _sum(one.of(name) for one in (risen, *of_legs))
    return values


def _leg_values(
    before: LegStatus | None, after: LegStatus, leg: LegConfig, kind: NodeKind, seconds: float
) -> Values:
    risen = _Risen(before.counters if before else None, after.counters)
    up, down = _ways(kind, "sent_octets", "received_octets")
    way, configured = ("up", leg.up_kbps) if kind is NodeKind.BONDER else ("down", leg.down_kbps)
    return {
        "up": risen.rate(up, seconds),
        "down": risen.rate(down, seconds),
        "latency": _latency([risen])[0],
        "jitter": after.jitter_us if after.rtt_us is not None else None,
        f"loss_{way}": after.loss_permille,
        f"speed_{way}": configured if after.adapted_kbps is None else after.adapted_kbps,
        "path_mtu": after.path_mtu if after.path_mtu_measured else None,
    }


def _ways(kind: NodeKind, sent: str, received: str) -> tuple[str, str]:
    """Return the counters of up and down: a bonder sends up."""
    return (sent, received) if kind is NodeKind.BONDER else (received, sent)


def _latency(legs: Iterable["_Risen"]) -> tuple[int | None, int | None]:
    """Return mean and standard deviation of the round trips of the interval, µs."""
    counts = total_us = squares = 0
    for leg in legs:
        count, of_leg_us, of_leg_squares = (
            leg.of(name) for name in ("rtts", "rtt_us", "rtt_squares")
        )
        if count and of_leg_us is not None and of_leg_squares is not None:
            counts += count
            total_us += of_leg_us
            squares += of_leg_squares
    if not counts:
        return None, None
    mean = total_us / counts
    # The squares are in units of 1e-9 s², which is 1e3 µs².
    variance = max(0.0, squares * 1e3 / counts - mean * mean)
    return round(mean), round(sqrt(variance))


class _Risen:
    """By how much counters of one life rose; one that fell began anew, and so did the others."""

    def __init__(self, before: Mapping[str, int] | None, after: Mapping[str, int]) -> None:
        is_same_life = before is not None and all(
            after.get(name, 0) >= count for name, count in before.items()
        )
        self._before = before if is_same_life else None
        self._after = after

    def of(self, name: str) -> int | None:
        if self._before is None or name not in self._after:
            return None
        return self._after[name] - self._before.get(name, 0)

    def rate(self, name: str, seconds: float) -> int | None:
        """Return bit/s of a counter of octets."""
        octets = self.of(name)
        return None if octets is None else round(octets * BITS / seconds)


def _risen(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None or after < before else after - before


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


# ---------------------------------------------------------------------------------------- batches

# A report of more bonds is cut: a request is small whatever a node carries.
MOST_BONDS = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples as a report carries them."""

    node: Columns
    bonds: list[BondMetrics]


def batches_of(samples: Sequence[Sample]) -> Iterator[Batch]:
    """Yield samples in columns: one batch, or more when there are many bonds."""
    node = _columns([sample.node for sample in samples])
    bond_ids = sorted({bond_id for sample in samples for bond_id in sample.bonds})
    bonds = [_bond(bond_id, samples) for bond_id in bond_ids]
    for begin in range(0, max(1, len(bonds)), MOST_BONDS):
        yield Batch(node if begin == 0 else {}, bonds[begin : begin + MOST_BONDS])


def _bond(bond_id: int, samples: Sequence[Sample]) -> BondMetrics:
    leg_ids = sorted({leg for sample in samples for bond, leg in sample.legs if bond == bond_id})
    return BondMetrics(
        bond_id=bond_id,
        series=_columns([sample.bonds.get(bond_id, {}) for sample in samples]),
        legs=[
            LegMetrics(
                leg_id=leg_id,
                series=_columns([sample.legs.get((bond_id, leg_id), {}) for sample in samples]),
            )
            for leg_id in leg_ids
        ],
    )


def _columns(rows: Sequence[Values]) -> Columns:
    """Return rows as columns; those that say nothing are left out."""
    names = sorted({name for row in rows for name in row})
    columns = {name: shortened([row.get(name) for row in rows]) for name in names}
    return {name: column for name, column in columns.items() if not _says_nothing(name, column)}


def _says_nothing(name: str, column: list[int | None]) -> bool:
    is_drop = name.startswith(DROPPED)
    return all(value is None or (is_drop and value == 0) for value in column)
