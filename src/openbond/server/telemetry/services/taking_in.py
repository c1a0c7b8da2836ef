"""Reports of metrics become rows: few, packed, in one transaction a request (ADR 0010)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

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
# So many ids in one statement.
MOST_IDS = 500


class Known(NamedTuple):
    """The columns of a subject that are needed here."""

    id: int
    told: int
    object_id: int
    teller: int
    last_number: int
    minutes_until: int


def take_in(
    *,
    node_id: int,
    teller: int,
    reports: Sequence[Metrics],
    carried: Mapping[int, Carried],
    sent_at_ms: int,
    now_ms: int,
) -> None:
    """Store what is new of a node's reports; bonds that are not in `carried` are left out.

    `teller` is the enrolment of the machine: its numbers rise for ever, so one that is not above
    the last was stored before. Raises django.db.Error when the database does not take it.
    """
    told = [_told(report, node_id, carried, sent_at_ms, now_ms) for report in reports]
    keys = {key for of_report in told for key in of_report} | {(Told.NODE, node_id)}
    with transaction.atomic(using=ALIAS):
        subjects = _subjects(keys, now_ms)
        node = subjects[Told.NODE, node_id]
        last = node.last_number if node.teller == teller else 0
        fresh = [
            of_report
            for report, of_report in zip(reports, told, strict=True)
            if report.number > last
        ]
        if not fresh:
            return
        _insert(fresh, subjects, now_ms)
        newest = max(report.number for report in reports)
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(COUNTED, [teller, newest, node.id])


def _told(
    report: Metrics, node_id: int, carried: Mapping[int, Carried], sent_at_ms: int, now_ms: int
) -> dict[tuple[Told, int], bytes]:
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


def _subjects(keys: Iterable[tuple[Told, int]], now_ms: int) -> dict[tuple[Told, int], Known]:
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


def _locked(keys: set[tuple[Told, int]]) -> dict[tuple[Told, int], Known]:
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
    fresh: Iterable[Mapping[tuple[Told, int], bytes]],
    subjects: Mapping[tuple[Told, int], Known],
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
