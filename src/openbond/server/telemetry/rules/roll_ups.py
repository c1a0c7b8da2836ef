"""A row of roll-ups: per series the count, sum, greatest and least of the samples of each cell.

Two rows may speak of the same cell: their counts and sums add up. So late samples amend what was
rolled up before without touching it, and nothing counts twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
from msgspec import Struct

from openbond.wire.metrics import RollUp

from .columns import packed
from .series import Name, Told, table_of

# A row of roll-ups of an hour holds so much.
MONTH_S = 30 * 24 * 3600

Key: TypeAlias = tuple[int, Name]  # owner and series


class Rolled(Struct, frozen=True, array_like=True):
    """One series, packed. `highs` or `lows` are empty where the series has none."""

    owner: int
    name: Name
    counts: bytes
    sums: bytes
    highs: bytes
    lows: bytes


class RollUps(Struct, frozen=True, array_like=True):
    """Cells of `step_s` seconds, `length` of them from `start_s` (s since 1970) on."""

    step_s: int
    start_s: int
    length: int
    series: list[Rolled]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RollUps)


def encoded(roll_ups: RollUps) -> bytes:
    return _encoder.encode(roll_ups)


def decoded(row: bytes) -> RollUps:
    """Raises msgspec.DecodeError for a row that is damaged."""
    return _decoder.decode(row)


@dataclass(slots=True)
class Cells:
    """The cells of one series; an empty one has count 0. `filled_to`: the first never filled."""

    counts: list[int]
    sums: list[int]
    highs: list[int]
    lows: list[int]
    filled_to: int = 0

    @classmethod
    def empty(cls, length: int) -> "Cells":
        return cls([0] * length, [0] * length, [0] * length, [0] * length)


def rolled_up(
    told: Told, cells: Mapping[Key, Cells], *, step_s: int, start_s: int, length: int
) -> RollUps:
    """Return cells as a row; series without a sample, or of a newer server, are left out."""
    series = [
        rolled
        for (owner, name), found in cells.items()
        if (rolled := _rolled(told, owner, name, found)) is not None
    ]
    return RollUps(step_s, start_s, length, series)


def _rolled(told: Told, owner: int, name: Name, cells: Cells) -> Rolled | None:
    series = table_of(told, owner).series_at(name)
    if series is None or not any(cells.counts):
        return None
    highs = packed(cells.highs) if RollUp.MAX in series.rolled_up else b""
    lows = packed(cells.lows) if RollUp.MIN in series.rolled_up else b""
    return Rolled(owner, name, packed(cells.counts), packed(cells.sums), highs, lows)
