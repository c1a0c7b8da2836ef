"""What is measured on one bond now, and what tunings recommend for it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from openbond.server.measurement.models import SpeedTest, TestStatus, Tuning, TuningDecision

UNFINISHED = ("queued", "running")
MOST_UNFINISHED = 20
MOST_ADVICE = 5


@dataclass(frozen=True, slots=True)
class TestNow:
    """An unfinished test. `elapsed`: s since its traffic began; `throughput` bit/s, the newest."""

    id: int
    leg_id: int | None
    status: str
    words: str
    length: int
    is_of_tuning: bool
    elapsed: int
    throughput: int | None


@dataclass(frozen=True, slots=True)
class TuningNow:
    id: int
    leg_id: int | None
    status: str
    submitted: datetime
    tests_done: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What a tuning recommends and nobody has decided on: `speeds` by the id of the leg in kbit/s,
    down and up; `settings` of the bond; `reasons`: about what, and why.
    """

    id: int
    leg_id: int | None
    finished: datetime | None
    speeds: tuple[tuple[int, int, int], ...]
    settings: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str], ...]


def unfinished_tests(bond_id: int) -> tuple[TestNow, ...]:
    rows = SpeedTest.objects.filter(bond=bond_id, status__in=UNFINISHED).order_by("id")
    return tuple(_test(row) for row in rows[:MOST_UNFINISHED])


def _test(row: SpeedTest) -> TestNow:
    last = row.progress_results[-1] if row.progress_results else {}
    return TestNow(
        id=row.pk,
        leg_id=row.leg_id,
        status=row.status,
        words=row.description,
        length=row.length,
        is_of_tuning=row.tuning_id is not None,
        elapsed=min(row.length, round(last.get("time", 0))),
        throughput=last.get("throughput"),
    )


def unfinished_tunings(bond_id: int) -> tuple[TuningNow, ...]:
    rows = Tuning.objects.filter(bond=bond_id, status__in=UNFINISHED).order_by("id")
    done = Count("speed_tests", filter=Q(speed_tests__status=TestStatus.FINISHED))
    found = rows.annotate(done=done).values_list("id", "leg_id", "status", "submitted", "done")
    return tuple(TuningNow(*row) for row in found)


def pending_advice(bond_id: int) -> tuple[Advice, ...]:
    rows = Tuning.objects.filter(bond=bond_id, decision=TuningDecision.PENDING).order_by("-id")
    return tuple(_advised(row) for row in rows[:MOST_ADVICE])


def _advised(row: Tuning) -> Advice:
    kept = dict(row.recommendations or {})
    parts = kept.pop("legs", [{"id": row.leg_id, **kept}])
    settings = {} if row.leg_id else kept
    return Advice(
        id=row.pk,
        leg_id=row.leg_id,
        finished=row.finished,
        speeds=tuple((part["id"], part["down_kbps"], part["up_kbps"]) for part in parts),
        settings=tuple((name, str(value)) for name, value in settings.items()),
        reasons=tuple((reason["about"], reason["words"]) for reason in row.reasons),
    )
