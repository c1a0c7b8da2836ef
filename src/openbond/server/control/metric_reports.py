"""Metrics of nodes on their way to a database of their own, whose trouble is nobody else's."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import Error as DatabaseError

from openbond.server.telemetry.rules.times import ms_of
from openbond.server.telemetry.selectors.carried import carried_by
from openbond.server.telemetry.services.pruning import prune
from openbond.server.telemetry.services.rolling_up import roll_up_hours, roll_up_minutes
from openbond.server.telemetry.services.taking_in import take_in
from openbond.wire.reports import Metrics

from .models import Enrolment

log = structlog.get_logger(__name__)


class MetricIntake:
    """Stores metrics; while that fails they are lost, which is told once, and its end once."""

    def __init__(self) -> None:
        self._is_failing = False

    def store(
        self, reports: Sequence[Metrics], *, teller: Enrolment, sent_at_ms: int, now: datetime
    ) -> None:
        """Store the reports of one request, in a transaction of their own."""
        carried = carried_by(teller.node_id)
        try:
            take_in(
                node_id=teller.node_id,
                teller=teller.pk,
                reports=reports,
                carried=carried,
                sent_at_ms=sent_at_ms,
                now_ms=ms_of(now),
            )
        except DatabaseError as error:
            if not self._is_failing:
                log.error("metrics cannot be stored and are lost", why=str(error).strip())
            self._is_failing = True
        else:
            if self._is_failing:
                log.info("metrics are stored again")
            self._is_failing = False


intake = MetricIntake()


def roll_up(*, now: datetime) -> None:
    """Roll up what is due, a part of it at a time."""
    roll_up_minutes(now_ms=ms_of(now))
    roll_up_hours(now_ms=ms_of(now))


def forget(*, now: datetime) -> None:
    """Delete what was kept long enough, a part of it at a time."""
    prune(now_ms=ms_of(now))
