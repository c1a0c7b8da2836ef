"""Metrics of nodes on their way to a database of their own, whose trouble is nobody else's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import Error as DatabaseError
from django.db import OperationalError

from openbond.server.telemetry.rules.times import ms_of
from openbond.server.telemetry.selectors.carried import carried_by
from openbond.server.telemetry.services.pruning import prune
from openbond.server.telemetry.services.rolling_up import roll_up_hours, roll_up_minutes
from openbond.server.telemetry.services.taking_in import Brought, take_in
from openbond.wire.reports import Metrics

from .models import Enrolment

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FromNode:
    """The metrics that a request of an enrolled machine brought."""

    enrolment: Enrolment
    reports: Sequence[Metrics]
    sent_at_ms: int


class MetricIntake:
    """Stores metrics; while that fails they are lost, which is told once, and its end once."""

    def __init__(self) -> None:
        self._is_failing = False

    def store(self, told: Sequence[FromNode], *, now: datetime) -> None:
        """Store what some requests brought, in a transaction of the other database."""
        carried = carried_by([one.enrolment.node_id for one in told])
        brought = [
            Brought(
                node_id=one.enrolment.node_id,
                teller=one.enrolment.pk,
                reports=one.reports,
                carried=carried[one.enrolment.node_id],
                sent_at_ms=one.sent_at_ms,
            )
            for one in told
        ]
        self._tell(_trouble_with(brought, now_ms=ms_of(now)))

    def _tell(self, trouble: Exception | None) -> None:
        if trouble is not None and not self._is_failing:
            fault = None if isinstance(trouble, DatabaseError) else trouble
            why = str(trouble).strip()
            log.error("metrics cannot be stored and are lost", why=why, exc_info=fault)
        elif trouble is None and self._is_failing:
            log.info("metrics are stored again")
        self._is_failing = trouble is not None


def _trouble_with(brought: Sequence[Brought], *, now_ms: int) -> Exception | None:
    """Store metrics; return what kept some of them from it."""
    try:
        take_in(brought, now_ms=now_ms)
    except OperationalError as error:
        return error  # it is the database, and would be for each of them
    except Exception as error:
        if len(brought) == 1:
            return error
        # One of them told something that cannot be stored; the others shall not lose theirs.
        found = [_trouble_with([one], now_ms=now_ms) for one in brought]
        return next((trouble for trouble in found if trouble is not None), None)
    return None


intake = MetricIntake()


def roll_up(*, now: datetime) -> None:
    """Roll up what is due, a part of it at a time."""
    roll_up_minutes(now_ms=ms_of(now))
    roll_up_hours(now_ms=ms_of(now))


def forget(*, now: datetime) -> None:
    """Delete what was kept long enough, a part of it at a time."""
    prune(now_ms=ms_of(now))
