"""The points of a chart of a bond (behaviour 4.8): packed rows, gathered into buckets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField

from openbond.server.bonds.models import Bond
from openbond.server.spaces.models import SpaceClosure
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.prepared import Given, Prepared, ids_of
from openbond.server.telemetry.rules import roll_ups, samples
from openbond.server.telemetry.rules.charts import (
    CHARTS,
    HOUR_S,
    SPANS,
    Chart,
    Frame,
    Line,
    Span,
    frame,
    key_of,
    points,
    series_of,
    shown_unit,
    values_of,
    wanted_of,
)
from openbond.server.telemetry.rules.gathering import Gathering
from openbond.server.telemetry.rules.roll_ups import Cells, Key
from openbond.server.telemetry.rules.series import ITSELF, Told
from openbond.server.telemetry.rules.times import SECOND_MS, ms_of
from openbond.wire.metrics import RollUp

from .rows import HOURS, MINUTES, SAMPLES, SUBJECTS, readable

# Instead of the type of a leg that is no more.
DELETED = "deleted"
# How often rows are read anew when a pass moved them on meanwhile.
TRIES = 3


# Everything below a viewer's home space is in his reach.
BOND_IN_REACH = Prepared(
    lambda: Bond.objects.filter(
        pk=Given("bond", BigIntegerField()),
        space__in=SpaceClosure.objects.filter(ancestor_id=Given("space", BigIntegerField())).values(
            "descendant_id"
        ),
    ).order_by("legs__id"),
    "bonder_id",
    "legs__id",
    "legs__type",
    "legs__interface",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One line: of the whole bond, or of a leg. `values`: one per bucket, None is a gap."""

    line: Line
    leg: "DrawnLeg | None"
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class DrawnLeg:
    id: int
    type: str
    interface: str | None


@dataclass(frozen=True, slots=True)
class BondChart:
    """`start_s` (s since 1970) is where the first of `points` buckets of `bucket_s` begins."""

    start_s: int
    span: Span
    unit: str
    rolled_up: RollUp
    lines: list[Drawn]


def bond_chart(
    viewer: Viewer,
    *,
    bond_id: int,
    chart: str,
    span: str,
    now: datetime,
    rolled_up: RollUp | None = None,
) -> BondChart | None:
    """Return a chart of CHARTS over a span of SPANS that ends now; None out of reach.

    `rolled_up`: one of values_of(chart), None the usual one. Raises KeyError for names that there
    are not.
    """
    drawn, over = CHARTS[chart], SPANS[span]
    found = _bond(viewer, bond_id)
    if found is None:
        return None
    bonder_id, legs = found
    where = frame(over, now_s=ms_of(now) // SECOND_MS)
    value = rolled_up or values_of(drawn)[0]
    cells = _cells(
        drawn,
        over,
        where,
        bond_id=bond_id,
        bonder_id=bonder_id,
        extremes=value in (RollUp.MAX, RollUp.MIN),
    )
    owners: Sequence[DrawnLeg | None] = [None]
    if drawn.is_per_leg:
        owners = [*legs, *_deleted_legs(legs, cells.values())]
    lines = [
        Drawn(line, leg, _values(cells.get(line.told, {}), line, leg, where, value, drawn))
        for leg in owners
        for line in drawn.lines
    ]
    unit = shown_unit(series_of(drawn, drawn.lines[0]))
    return BondChart(where.start_s, over, unit, value, lines)


def _bond(viewer: Viewer, bond_id: int) -> tuple[int, list[DrawnLeg]] | None:
    """Return the bonder and the legs of a bond in reach."""
    rows = BOND_IN_REACH.run(bond=bond_id, space=viewer.space_id)
    if not rows:
        return None
    legs = [
        DrawnLeg(row["legs__id"], row["legs__type"], row["legs__interface"])
        for row in rows
        if row["legs__id"] is not None
    ]
    return rows[0]["bonder_id"], legs


def _deleted_legs(
    legs: Iterable[DrawnLeg], gathered: Iterable[Mapping[Key, Cells]]
) -> list[DrawnLeg]:
    """Return the legs that were measured in the span and are no more; of them the id is known."""
    known = {leg.id for leg in legs}
    found = {
        owner
        for cells in gathered
        for (owner, _), one in cells.items()
        if owner not in known and any(one.counts)
    }
    return [DrawnLeg(owner, DELETED, None) for owner in sorted(found)]


def _values(
    cells: Mapping[Key, Cells],
    line: Line,
    leg: DrawnLeg | None,
    where: Frame,
    value: RollUp,
    chart: Chart,
) -> list[float | None]:
    key = key_of(line, leg.id if leg else ITSELF)
    return points(cells.get(key), where.edges, series_of(chart, line), value)


def _cells(
    chart: Chart,
    span: Span,
    where: Frame,
    *,
    bond_id: int,
    bonder_id: int,
    extremes: bool,
) -> dict[Told, dict[Key, Cells]]:
    """Return the cells of a chart by who told them."""
    tellers = {line.told for line in chart.lines}
    objects = {(told, bonder_id if told is Told.NODE else bond_id) for told in tellers}
    for _ in range(TRIES):
        subjects = _subjects(objects)
        gatherings = {
            row["id"]: Gathering(
                start_s=where.first_cell_s,
                step_s=span.step_s,
                length=where.cells,
                wanted=wanted_of(chart, Told(row["told"])),
                extremes=extremes,
            )
            for row in subjects
        }
        gather(gatherings, subjects, span, after=where.first_cell_s * SECOND_MS)
        # Rows that a pass moved on between two reads would be missing, or count twice; samples are
        # read whether they were rolled up or not.
        if span.is_of_samples or _subjects(objects) == subjects:
            break
    return {Told(row["told"]): gatherings[row["id"]].cells for row in subjects}


def _subjects(objects: Iterable[tuple[Told, int]]) -> list[dict[str, Any]]:
    wanted = set(objects)
    rows = SUBJECTS.run(ids=ids_of([object_id for _, object_id in wanted]))
    return [row for row in rows if (row["told"], row["object_id"]) in wanted]


def gather(
    gatherings: Mapping[int, Gathering],
    subjects: Sequence[Mapping[str, Any]],
    span: Span,
    *,
    after: int,
) -> None:
    """Add the rows of each subject: the roll-ups of the span, and what is not in them yet.

    What is of the span arrived in it: nothing is measured after it arrived.
    """
    rolled = dict.fromkeys(gatherings, after)
    if span.step_s == HOUR_S:
        # A row begins with its month, up to 30 days before what it holds of the span.
        before = dict.fromkeys(gatherings, after - roll_ups.MONTH_S * SECOND_MS)
        _add_roll_ups(gatherings, HOURS, before)
        rolled = {row["id"]: max(after, row["hours_until"]) for row in subjects}
    if not span.is_of_samples:
        _add_roll_ups(gatherings, MINUTES, rolled)
        rolled = {row["id"]: max(after, row["minutes_until"]) for row in subjects}
    for subject_id, packed in _arrived(SAMPLES, rolled):
        for found in readable([packed], samples.decoded):
            gatherings[subject_id].add_samples(found)


def _add_roll_ups(
    gatherings: Mapping[int, Gathering], rows: Prepared, after: Mapping[int, int]
) -> None:
    for subject_id, packed in _arrived(rows, after):
        for found in readable([packed], roll_ups.decoded):
            gatherings[subject_id].add_roll_ups(found)


def _arrived(rows: Prepared, after: Mapping[int, int]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows of each subject that arrived, or were made, after its time."""
    if not after:
        return
    for row in rows.run(subjects=ids_of(list(after)), after=min(after.values())):
        if row["at"] > after[row["subject_id"]]:
            yield row["subject_id"], row["packed"]
