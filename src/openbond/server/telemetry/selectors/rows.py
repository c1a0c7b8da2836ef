"""Reads of packed rows, as statements that are written once: charts are asked for often."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
import structlog
from django.db.models import BigIntegerField

from openbond.server.system.prepared import Among, Given, Prepared
from openbond.server.telemetry.models import Hours, Minutes, Samples, Subject

T = TypeVar("T")
log = structlog.get_logger(__name__)

AFTER = Given("after", BigIntegerField())
AMONG = Among("subject_id", "subjects")

# `ids`: JSON of the ids of nodes, or of bonds.
SUBJECTS = Prepared(
    lambda: Subject.objects.filter(Among("object_id", "ids")).order_by(),
    "id",
    "told",
    "object_id",
    "minutes_until",
    "hours_until",
)
SAMPLES = Prepared(
    lambda: Samples.objects.filter(AMONG, at__gt=AFTER).order_by("at"),
    "subject_id",
    "at",
    "packed",
)
MINUTES = Prepared(
    lambda: Minutes.objects.filter(AMONG, at__gt=AFTER).order_by("at"),
    "subject_id",
    "at",
    "packed",
)
HOURS = Prepared(
    lambda: Hours.objects.filter(AMONG, at__gt=AFTER).order_by("at"),
    "subject_id",
    "at",
    "packed",
)


def readable(rows: Iterable[bytes], decoded: Callable[[bytes], T]) -> Iterator[T]:
    """Yield rows decoded; one that is damaged is told and left out: it is a minute of a chart."""
    for row in rows:
        try:
            yield decoded(row)
        except msgspec.DecodeError as damage:
            log.error("a row of what was measured is damaged", why=str(damage))
