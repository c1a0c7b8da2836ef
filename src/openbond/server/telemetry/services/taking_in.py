"""Reports of metrics become rows: few, packed, many nodes' in one transaction (ADR 0010)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from django.db import connections, transaction

from openbond.server.telemetry import ALIAS
from openbond.server.telemetry.models import Samples, Subject
from openbond.server.telemetry.rules import samples as rules
from openbond.server.telemetry.rules.series import Told
from openbond.server.telemetry.rules.times import DAY_MS, HOUR_MS
from openbond.server.telemetry.selectors.carried import Carried
from openbond.wire.reports import Metrics

# Asked 170 times a second at 10,000 nodes: the ORM takes longer to write these than a database to
# run them.
INSERT = (
    f'INSERT INTO "{Samples._meta.db_table}" ("subject_id", "at", "packed") '  # noqa: S608
    "VALUES (%s, %s, %s)"
)
KNOWN = (
    'SELECT "id", "told", "object_id", "teller", "last_number", "minutes_until" '  # noqa: S608
    f'FROM "{Subject._meta.db_table}" WHERE "object_id" IN (%s) ORDER BY "id"'
)
COUNTED = (
    f'UPDATE "{Subject._meta.db_table}" SET "teller" = %s, "last_number" = %s '  # noqa: S608
    'WHERE "id" = %s'
)
# So many ids in one statement; those of a batch go in one, so that all lock in the same order.
MOST_IDS = 10_000

Key: TypeAlias = tuple[Told, int]


@dataclass(frozen=True, slots=True)
class Brought:
    """The reports that one request of a node brought; bonds not in `carried` are left out.

    `teller` is the enrolment of the machine, `sent_at_ms` what its clock said when it sent.
    """

    node_id: int
    teller: int
    reports: Sequence[Metrics]
    carried: Mapping[int, Carried]
    sent_at_ms: int


class Known(NamedTuple):
    """The columns of a subject that are needed here."""

    id: int
    told: int
    object_id: int
    teller: int
    last_number: int
    minutes_until: int


def take_in(brought: Sequence[Brought], *, now_ms: int) -> None:
    """Store what is new of the reports, all in one transaction; requests of a node in their order.

    The numbers of a machine rise for ever, so one that is not above the last was stored before.
    Raises django.db.Error when the database does not take it; nothing is stored then.
    """
    told = [_rows_of(one, now_ms) for one in brought]
    keys = {key for of_request in told for of_report in of_request for key in of_report}
    nodes = {(Told.NODE, one.node_id) for one in brought}
    with transaction.atomic(using=ALIAS):
        subjects = _subjects(keys | nodes, now_ms)
        last = {key: (subjects[key].teller, subjects[key].last_number) for key in nodes}
        fresh = list(_fresh(brought, told, last))
        if not fresh:
            return
        _insert(fresh, subjects, now_ms)
        counted = [(*last[key], subjects[key].id) for key in sorted(nodes)]
        with connections[ALIAS].cursor() as cursor:
            cursor.executemany(COUNTED, counted)


def _fresh(
    brought: Sequence[Brought],
    told: Sequence[Sequence[Mapping[Key, bytes]]],
    last: dict[Key, tuple[int, int]],
) -> Iterator[Mapping[Key, bytes]]:
    """Yield the rows of each report that is new; `last`, by node, moves on to what came."""
    for one, of_request in zip(brought, told, strict=True):
        key = Told.NODE, one.node_id
        teller, number = last[key]
        before = number if teller == one.teller else 0
        for report, of_report in zip(one.reports, of_request, strict=True):
            if report.number > before:
                yield of_report
        highest = max((report.number for report in one.reports), default=0)
        if highest > before:
            last[key] = one.teller, highest


def _rows_of(one: Brought, now_ms: int) -> list[dict[Key, bytes]]:
    """Return the rows of each report by their subjects."""
    return [
        _told(report, one.node_id, one.carried, one.sent_at_ms, now_ms) for report in one.reports
    ]


def _told(
    report: Metrics, node_id: int, carried: Mapping[int, Carried], sent_at_ms: int, now_ms: int
) -> dict[Key, bytes]:
    """Return the rows of one report by their subjects."""
    times = rules.times_of(report, sent_at_ms=sent_at_ms, now_ms=now_ms)
    if times is None:
        return {}
    found = {(Told.NODE, node_id): rules.samples_of_node(report, times)}
    for bond in report.bonds:
        known = carried.get(bond.bond_id)
        if known is not None:
            found[known.told, bond.bond_id] = rules.samples_of_bond(
                report, bond, known.told, known.leg_ids, times
            )
    return {key: rules.encoded(samples) for key, samples in found.items() if samples.parts}


def _subjects(keys: Iterable[Key], now_ms: int) -> dict[Key, Known]:
    """Return the subjects, locked; those that are new are made."""
    wanted = set(keys)
    found = _locked(wanted)
    missing = wanted - set(found)
    if missing:
        Subject.objects.bulk_create(
            (_new(told, object_id, now_ms) for told, object_id in sorted(missing)),
            ignore_conflicts=True,
        )
        found |= _locked(missing)
    return found


def _locked(keys: set[Key]) -> dict[Key, Known]:
    ids = sorted({object_id for _, object_id in keys})
    connection = connections[ALIAS]
    lock = connection.ops.for_update_sql() if connection.features.has_select_for_update else ""
    found = {}
    with connection.cursor() as cursor:
        for begin in range(0, len(ids), MOST_IDS):
            some = ids[begin : begin + MOST_IDS]
            cursor.execute(f"{KNOWN % ', '.join(['%s'] * len(some))} {lock}", some)
            for row in map(Known._make, cursor.fetchall()):
                found[Told(row.told), row.object_id] = row
    # An id may be that of a node and of a bond: only the pairs that were asked for count.
    return {key: row for key, row in found.items() if key in keys}


def _new(told: Told, object_id: int, now_ms: int) -> Subject:
    # Spread over the hour and the day, so that not all are rolled up at once.
    spread = (object_id * 7919 + told) % 3600 / 3600
    return Subject(
        told=told,
        object_id=object_id,
        minutes_until=now_ms - 1 - round(HOUR_MS * spread),
        hours_until=now_ms - 1 - round(DAY_MS * spread),
    )


def _insert(
    fresh: Iterable[Mapping[Key, bytes]],
    subjects: Mapping[Key, Known],
    now_ms: int,
) -> None:
    rows = []
    for of_report in fresh:
        for key, packed in of_report.items():
            subject = subjects[key]
            # Never before what was rolled up already, even if the server's clock was set back.
            rows.append((subject.id, max(now_ms, subject.minutes_until + 1), packed))
    with connections[ALIAS].cursor() as cursor:
        cursor.executemany(INSERT, rows)
