"""Gathers samples and roll-ups into cells of one length: for longer roll-ups, and for charts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from openbond.wire.metrics import Column

from .columns import unpacked
from .roll_ups import Cells, Key, Rolled, RollUps
from .samples import Samples
from .series import ITSELF, Name


class Wanted(NamedTuple):
    """Of which series cells are gathered: of the object itself, or of each leg that rows tell of,
    also of one that was deleted since.
    """

    names: frozenset[Name]
    of_legs: bool


# Where cells of a row go: the first and last of them, and the cell they belong to.
Run = tuple[int, int, int]


class Gathering:
    """`length` cells of `step_s` seconds from `start_s` on; what lies outside is left out.

    `wanted`: None gathers all series. `extremes`: also the greatest and the least of
    each cell, which most charts do not show.
    """

    def __init__(
        self,
        *,
        start_s: int,
        step_s: int,
        length: int,
        wanted: Wanted | None = None,
        extremes: bool = True,
    ) -> None:
        self.start_s, self.step_s, self.length = start_s, step_s, length
        self.cells: dict[Key, Cells] = {}
        self._names = wanted.names if wanted else None
        self._of_legs = wanted.of_legs if wanted else None
        self._extremes = extremes

    def add_samples(self, samples: Samples) -> None:
        start, step = samples.start_ms - self.start_s * 1000, self.step_s * 1000
        places = [(start + offset) // step for offset in samples.offsets_ms]
        runs = list(self._runs(places))
        if not runs:
            return
        # Each sample in a cell of its own, one after the other: charts of minutes.
        is_whole = len(runs) == len(places)
        in_line = is_whole and places == list(range(places[0], places[0] + len(places)))
        for part in samples.parts:
            if self._is_left_out(part.owner):
                continue
            for name, column in part.series:
                if self._names is not None and name not in self._names:
                    continue
                cells = self._cells((part.owner, name))
                if in_line:
                    _add_in_line(cells, _as_cells(column, len(places)), places[0])
                else:
                    _add_column(cells, column, runs)

    def add_roll_ups(self, row: RollUps) -> None:
        """Take cells as long as ours or shorter; each belongs to the cell in which it begins."""
        first = row.start_s - self.start_s
        if row.step_s == self.step_s and first % self.step_s == 0:
            self._add_alike(row, first // self.step_s)
            return
        steps = range(first, first + row.length * row.step_s, row.step_s)
        runs = list(self._runs([begin // self.step_s for begin in steps]))
        for series in self._wanted_of(row) if runs else ():
            cells = self._cells((series.owner, series.name))
            _add_series(cells, series, row.length, runs, extremes=self._extremes)

    def _add_alike(self, row: RollUps, at: int) -> None:
        """Add cells as long as ours; `at` is the place of the first among ours."""
        part = slice(max(0, -at), max(0, min(row.length, self.length - at)))
        if part.start >= part.stop:
            return
        for series in self._wanted_of(row):
            cells = self._cells((series.owner, series.name))
            columns = [series.counts, series.sums]
            if self._extremes:
                columns += [series.highs or series.sums, series.lows or series.sums]
            values = [unpacked(column, row.length)[part] for column in columns]
            _add_in_line(cells, values, at + part.start)

    def _is_left_out(self, owner: int) -> bool:
        return self._of_legs is not None and (owner != ITSELF) is not self._of_legs

    def _wanted_of(self, row: RollUps) -> Iterable[Rolled]:
        names = self._names
        if names is None:
            return row.series
        return [one for one in row.series if one.name in names and not self._is_left_out(one.owner)]

    def _cells(self, key: Key) -> Cells:
        found = self.cells.get(key)
        if found is None:
            found = self.cells[key] = Cells.empty(self.length)
        return found

    def _runs(self, places: Sequence[int]) -> Iterator[Run]:
        """Yield runs of neighbours that belong to the same cell of ours."""
        begin, count = 0, len(places)
        while begin < count:
            place, end = places[begin], begin + 1
            while end < count and places[end] == place:
                end += 1
            if 0 <= place < self.length:
                yield begin, end, place
            begin = end


def _add_column(cells: Cells, column: Column, runs: list[Run]) -> None:
    is_same = len(column) == 1
    for begin, end, place in runs:
        part = column * (end - begin) if is_same else column[begin:end]
        values = [value for value in part if value is not None]
        if values:
            _add(cells, place, len(values), sum(values), max(values), min(values))


def _as_cells(column: Column, length: int) -> Sequence[Sequence[int]]:
    """Return a column as counts, sums, highs and lows of cells of one sample each."""
    values = column if len(column) == length else column * length
    counts = [0 if value is None else 1 for value in values]
    sums = [value or 0 for value in values]
    return counts, sums, sums, sums


def _add_series(
    cells: Cells, series: Rolled, length: int, runs: list[Run], *, extremes: bool
) -> None:
    counts, sums = unpacked(series.counts, length), unpacked(series.sums, length)
    highs = unpacked(series.highs, length) if extremes and series.highs else sums
    lows = unpacked(series.lows, length) if extremes and series.lows else sums
    for begin, end, place in runs:
        count = sum(counts[begin:end])
        if count:
            filled = [number for number in range(begin, end) if counts[number]] if extremes else [0]
            high = max(highs[number] for number in filled)
            low = min(lows[number] for number in filled)
            _add(cells, place, count, sum(sums[begin:end]), high, low)


def _add(cells: Cells, place: int, count: int, total: int, high: int, low: int) -> None:
    if cells.counts[place]:
        high, low = max(high, cells.highs[place]), min(low, cells.lows[place])
    cells.counts[place] += count
    cells.sums[place] += total
    cells.highs[place], cells.lows[place] = high, low
    if place >= cells.filled_to:
        cells.filled_to = place + 1


def _add_in_line(cells: Cells, values: Sequence[Sequence[int]], at: int) -> None:
    """Add counts and sums, and highs and lows if they are there, to the cells from `at` on.

    Where none was filled yet they are copied: what charts do most.
    """
    length = len(values[0])
    # Rows follow each other, and the last cell of one is often the first of the next.
    shared = min(length, max(0, cells.filled_to - at))
    for number in range(shared):
        count, total, *extremes = (column[number] for column in values)
        if count:
            high, low = extremes or (total, total)
            _add(cells, at + number, count, total, high, low)
    if shared == length:
        return
    columns = (cells.counts, cells.sums, cells.highs, cells.lows)
    for ours, given in zip(columns, values, strict=False):
        ours[at + shared : at + length] = given[shared:] if shared else given
    cells.filled_to = at + length
