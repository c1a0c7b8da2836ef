"""Charts of a bond of three legs over every span, against the raw query and JSON of the answer.

The raw query is the one that a plain table would be asked, with a row per sample or roll-up:
means by bucket, by SQL. Ours reads packed rows; what fetching those alone takes is told beside it.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence

import msgspec
from django.db import connections
from django.utils import timezone

from openbond.lab.bench.rows import Row, Say
from openbond.server.bonds.models import Bond
from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import viewer_for
from openbond.server.spaces.viewer import Viewer
from openbond.server.telemetry import ALIAS
from openbond.server.telemetry.database import make_tables
from openbond.server.telemetry.models import Hours, Minutes, Samples, Subject
from openbond.server.telemetry.rules import roll_ups, samples
from openbond.server.telemetry.rules.charts import CHARTS, SPANS, frame, wanted_of
from openbond.server.telemetry.rules.gathering import Gathering
from openbond.server.telemetry.rules.roll_ups import MONTH_S, RollUps, rolled_up
from openbond.server.telemetry.rules.series import BOND, ITSELF, LEG, Told
from openbond.server.telemetry.rules.times import DAY_MS, HOUR_MS, MINUTE_MS, ms_of
from openbond.server.telemetry.selectors.charts import bond_chart, gather
from openbond.wire.metrics import Column

from .asking import Asking, Statement, cpu_in_turns, fetch, kept, middle, ratio, raw
from .rows_in import fill_bonds

CHART = "leg_traffic"
ROUNDS = 7
HOUR_S = 3600
# What differs from minute to minute; the rest of the series stands still, as on a good line.
LIVELY = {"up", "down", "latency", "jitter", "latency_deviation", "held"}


def fill(say: Say) -> None:
    say("charts: one bond with a year behind it")
    fill_bonds([1], 1)
    make_tables()
    bond = Bond.objects.get()
    legs = list(bond.legs.order_by("id").values_list("pk", flat=True))
    now_ms = ms_of(timezone.now())
    # A pass ran half an hour ago, and one of the hours half a day ago.
    minutes_until, hours_until = now_ms - HOUR_MS // 2, now_ms - DAY_MS // 2
    for told in (Told.BOND_BY_BONDER, Told.BOND_BY_AGGREGATOR):
        subject = Subject.objects.create(
            told=told, object_id=bond.pk, minutes_until=minutes_until, hours_until=hours_until
        )
        _fill(subject, _Line(told, legs), now_ms)


def _fill(subject: Subject, line: "_Line", now_ms: int) -> None:
    minutes = range(now_ms - 2 * DAY_MS, now_ms, MINUTE_MS)
    Samples.objects.bulk_create(
        Samples(subject_id=subject.pk, at=at + MINUTE_MS, packed=line.samples(at)) for at in minutes
    )
    hours = range(now_ms - 15 * DAY_MS, subject.minutes_until - HOUR_MS, HOUR_MS)
    Minutes.objects.bulk_create(
        Minutes(subject_id=subject.pk, at=at + HOUR_MS, packed=line.roll_ups(at // 1000, 60, 61))
        for at in hours
    )
    first = (now_ms // 1000 - 366 * 24 * HOUR_S) // MONTH_S * MONTH_S
    Hours.objects.bulk_create(
        Hours(subject_id=subject.pk, at=month * 1000, packed=line.roll_ups(month, HOUR_S, 720))
        for month in range(first, now_ms // 1000, MONTH_S)
    )


class _Line:
    """Makes rows of one end of a bond."""

    def __init__(self, told: Told, legs: Sequence[int]) -> None:
        self._told, self._dice = told, random.Random(told)  # noqa: S311 - it fills a bench
        self._owners = {ITSELF: BOND, **dict.fromkeys(legs, LEG)}

    def samples(self, at_ms: int) -> bytes:
        parts = [
            samples.Part(
                owner, [(place, self._column(one.name)) for place, one in enumerate(table.series)]
            )
            for owner, table in self._owners.items()
        ]
        offsets = [10_000 * number for number in range(6)]
        return samples.encoded(samples.Samples(10_000, at_ms, offsets, parts))

    def roll_ups(self, start_s: int, step_s: int, length: int) -> bytes:
        start = start_s // step_s * step_s
        gathering = Gathering(start_s=start, step_s=step_s, length=length)
        for number in range(length):
            gathering.add_samples(samples.decoded(self.samples((start + number * step_s) * 1000)))
        row: RollUps = rolled_up(
            self._told, gathering.cells, step_s=step_s, start_s=start, length=length
        )
        return roll_ups.encoded(row)

    def _column(self, name: str) -> Column:
        if name in LIVELY:
            return [self._dice.randrange(20_000_000) for _ in range(6)]
        return [7]


def measure(say: Say) -> Iterator[Row]:
    bond = Bond.objects.get()
    viewer = viewer_for(User.objects.select_related("space").get())
    client = Asking()
    for span in SPANS:
        plain = _plain_query(bond, span)
        yield from _rows(span, bond.pk, client, _chart_of(viewer, bond.pk, span), plain, say)


def _chart_of(viewer: Viewer, bond_id: int, span: str) -> Callable[[], bytes]:
    def chart() -> bytes:
        found = bond_chart(viewer, bond_id=bond_id, chart=CHART, span=span, now=timezone.now())
        return msgspec.json.encode([line.values for line in found.lines] if found else [])

    return chart


def _plain_query(bond: Bond, span: str) -> Statement:
    """Make a plain table of the cells that a chart is made of; return the query of the chart."""
    over = SPANS[span]
    where = frame(over, now_s=ms_of(timezone.now()) // 1000)
    gathering = Gathering(
        start_s=where.first_cell_s,
        step_s=over.step_s,
        length=where.cells,
        wanted=wanted_of(CHARTS[CHART], Told.BOND_BY_BONDER),
        extremes=False,
    )
    subjects = Subject.objects.filter(told=Told.BOND_BY_BONDER, object_id=bond.pk)
    after = where.first_cell_s * 1000
    gather({row.pk: gathering for row in subjects}, list(subjects.values()), over, after=after)
    columns = [
        column for cells in gathering.cells.values() for column in (cells.counts, cells.sums)
    ]
    names = [f"c{number}" for number in range(len(columns))]
    at = (where.first_cell_s + number * over.step_s for number in range(where.cells))
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS plain")
        kinds = ", ".join(f"{name} bigint" for name in names)
        cursor.execute(f"CREATE TEMP TABLE plain (at bigint PRIMARY KEY, {kinds})")
        marks = ", ".join(["%s"] * (1 + len(names)))
        rows = list(zip(at, *columns, strict=True))
        cursor.executemany(f"INSERT INTO plain VALUES ({marks})", rows)  # noqa: S608
    means = ", ".join(
        f"sum({sums}) / sum({counts})" for counts, sums in zip(names[::2], names[1::2], strict=True)
    )
    bucket = f"(at - {where.start_s}) / {over.bucket_s}"
    return f"SELECT {bucket}, {means} FROM plain GROUP BY 1 ORDER BY 1", None  # noqa: S608


def _rows(
    span: str,
    bond_id: int,
    client: Asking,
    chart: Callable[[], bytes],
    plain: Statement,
    say: Say,
) -> Iterator[Row]:
    chart()  # statements are written once
    with kept() as of_default, kept(ALIAS) as of_charts:
        content = msgspec.json.decode(chart())
    default, charts, query = raw(of_default), raw(of_charts), raw([plain])
    address = f"/api/charts/bonds/{bond_id}/?chart={CHART}&span={span}"
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "ours": (chart, 10),
        "request": (lambda: client.get(address), 5),
        "query": (lambda: fetch(query, ALIAS), 10),
        "packed": (lambda: (fetch(default), fetch(charts, ALIAS)), 10),
        "json": (lambda: json.dumps(content, separators=(",", ":")).encode(), 10),
    }
    turns = cpu_in_turns(ways, rounds=ROUNDS, say=say, what=f"chart of {span}")
    ours, request, asked, packed, encoding = (middle(turns, name) for name in ways)
    yield Row(
        name=f"chart of {span}, CPU",
        value=ratio(turns, ["ours"], ["query", "json"]),
        unit="x raw query + JSON",
        most=3.0,
        detail=f"{ours:.2f} against {asked:.2f} + {encoding:.2f} ms; as a request {request:.2f}",
    )
    yield Row(
        name="the same",
        value=ratio(turns, ["ours"], ["packed", "json"]),
        unit="x fetching packed rows + JSON",
        detail=f"{packed:.2f} + {encoding:.2f} ms",
    )
