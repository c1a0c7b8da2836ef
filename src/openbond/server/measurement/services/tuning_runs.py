"""Moves running tunings on: one speed test after the other, until there is something to recommend.

The tests that ran are the progress (rules/tuning.py), so a server that starts again goes on where
it was. Each tuning moves in a transaction of its own; what its tuner cannot know, because only
time or other rows tell it, is decided here: waiting, losses, moves and what it may cost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog
from django.db import DatabaseError, transaction

from openbond.server.bonds.models import Leg
from openbond.server.bonds.selectors import state_of_leg
from openbond.server.errors import DomainError
from openbond.server.measurement.models import SpeedTest, TestStatus, Tuning
from openbond.server.measurement.rules.bond_tuner import BondSettings, LegToTune, tune_bond
from openbond.server.measurement.rules.leg_tuner import tune_leg
from openbond.server.measurement.rules.limits import Limits
from openbond.server.measurement.rules.tuning import (
    FailureCode,
    LegSpeeds,
    Measured,
    Numbers,
    Trial,
    TuningFailed,
    Wanted,
    next_step,
)
from openbond.server.measurement.rules.tuning_limits import (
    Spent,
    too_many_bytes,
    too_much,
    waited_too_long,
)
from openbond.server.measurement.selectors.limits import limits_of
from openbond.server.measurement.selectors.tests import testable_states
from openbond.server.system.actors import SERVER
from openbond.server.system.selectors import current_settings
from openbond.wire.speed_tests import TrialSettings, TrialSpeed
from openbond.wire.states import LegType, LinkMode

from .speed_tests import create_speed_test
from .tuning_ends import fail_tuning, start_tuning, succeed_tuning
from .tunings import UNFINISHED, WAITING_TESTS, lock_tuning

log = structlog.get_logger(__name__)

# The key of what ailed tests of the bond, among the ids of legs.
OF_BOND = "bond"

Step: TypeAlias = Wanted | LegSpeeds | BondSettings


@dataclass(frozen=True, slots=True)
class _Run:
    """A tuning between two tests: its legs with their states, its tests in their order."""

    tuning: Tuning
    legs: dict[int, Leg]
    states: dict[int, str]
    tests: list[SpeedTest]
    numbers: Numbers
    limits: Limits
    now: datetime


def move_tunings(*, numbers: Numbers, now: datetime) -> None:
    """Move every unfinished tuning one step on. One that cannot be moved fails, and says so."""
    for tuning in list(Tuning.objects.filter(status__in=UNFINISHED).order_by()):
        try:
            _move(tuning, numbers, now)
        except DatabaseError:
            raise
        except DomainError:
            continue  # deleted, or changed just now: the next look finds it as it is then
        except Exception:
            log.exception("a tuning cannot go on", tuning=tuning.pk)
            _give_up(tuning, now)


@transaction.atomic
def _give_up(tuning: Tuning, now: datetime) -> None:
    row = lock_tuning(tuning)
    if row.status in UNFINISHED:
        why = TuningFailed(FailureCode.SERVER_ERROR, "The server's log has the reason.")
        fail_tuning(row, why, now=now)


@transaction.atomic
def _move(tuning: Tuning, numbers: Numbers, now: datetime) -> None:
    row = lock_tuning(tuning)
    if row.status not in UNFINISHED:
        return
    tests = list(SpeedTest.objects.filter(tuning=row).order_by("id"))
    try:
        _refuse_moved(row)
        if tests and tests[-1].status in WAITING_TESTS:
            _watch(row, tests, now)
        else:
            _go_on(_run(row, tests, numbers, now))
    except TuningFailed as failure:
        fail_tuning(row, failure, now=now)


def _refuse_moved(row: Tuning) -> None:
    if row.aggregator_id != row.bond.current_aggregator_id:
        raise TuningFailed(FailureCode.MOVED, "The bond moved to another aggregator.")


def _watch(row: Tuning, tests: Sequence[SpeedTest], now: datetime) -> None:
    """End the test that is under way when the tuning lasts too long by it."""
    test = tests[-1]
    trouble = too_much(_spent(row, _of_leg(tests, test.leg_id), now))
    if trouble is not None:
        # It may have finished just now; then it stays as it is.
        left = SpeedTest.objects.filter(pk=test.pk, status__in=WAITING_TESTS)
        left.update(status=TestStatus.CANCELLED, finished=now, error=trouble.words)
        _note_trouble(row, test.leg_id, trouble)


def _go_on(run: _Run) -> None:
    """Take the next step. Raises TuningFailed."""
    step = _next_step(run)
    while isinstance(step, Wanted):
        trouble = _obstacle(run, step)
        if trouble is None:
            return
        _note_trouble(run.tuning, step.leg_id, trouble)
        step = _next_step(run)
    succeed_tuning(run.tuning, step, now=run.now)


def _next_step(run: _Run) -> Step:
    results = {leg_id: _measured(_of_leg(run.tests, leg_id)) for leg_id in (None, *run.legs)}
    troubles: dict[int | None, TuningFailed] = {}
    for of, told in run.tuning.troubles.items():
        leg_id = None if of == OF_BOND else int(of)
        troubles[leg_id] = TuningFailed(FailureCode(told["code"]), told["words"], leg_id=leg_id)
    if run.tuning.leg_id is not None:
        return next_step(tune_leg(run.tuning.leg_id, run.numbers), results, troubles)
    legs = [
        LegToTune(leg.pk, f"Leg {leg.pk} ({leg.interface or leg.type})", leg.failover)
        for leg in run.legs.values()
    ]
    return next_step(tune_bond(legs, run.numbers), results, troubles)


def _obstacle(run: _Run, wanted: Wanted) -> TuningFailed | None:
    """Run the test, or wait until it can be run; return why neither makes sense any more."""
    of_leg = _of_leg(run.tests, wanted.leg_id)
    same_way = [test for test in of_leg if test.direction == wanted.direction.value]
    spent = _spent(run.tuning, of_leg, run.now)
    over = too_much(spent) or too_many_bytes(
        wanted,
        done=_measured(same_way) or _measured(of_leg),
        moved_bytes=spent.moved_bytes,
        is_mobile=any(leg.type == LegType.MOBILEBROADBAND for leg in _targets(run, wanted)),
        limits=run.limits,
    )
    if over is not None:
        return over
    if _is_testable(run, wanted):
        _begin(run, wanted)
        return None
    return _wait(run, wanted, was_tested=bool(of_leg))


def _wait(run: _Run, wanted: Wanted, *, was_tested: bool) -> TuningFailed | None:
    row = run.tuning
    since = row.waiting_since or run.now
    states = {run.states[leg.pk] for leg in _targets(run, wanted)}
    trouble = waited_too_long(
        run.now - since,
        was_tested=was_tested,
        in_bond=row.leg_id is None,
        state=", ".join(sorted(states)),
        numbers=run.numbers,
        limits=run.limits,
    )
    # The wait for another leg begins anew.
    row.waiting_since = None if trouble else since
    row.save(update_fields=["waiting_since"])
    return trouble


def _begin(run: _Run, wanted: Wanted) -> None:
    row = run.tuning
    create_speed_test(
        by=SERVER,
        now=run.now,
        bond=row.bond,
        leg=None if wanted.leg_id is None else run.legs[wanted.leg_id],
        tuning=row,
        direction=wanted.direction.value,
        length=wanted.seconds,
        rate_limit_kbps=wanted.rate_limit_kbps,
        concurrency=wanted.concurrency,
        idle_seconds=wanted.idle_seconds,
        trial=_trial_settings(wanted.trial) if wanted.trial else None,
    )
    start_tuning(row, now=run.now)


def _trial_settings(trial: Trial) -> TrialSettings:
    legs = [
        TrialSpeed(leg_id=leg.leg_id, down_kbps=leg.down.kbps, up_kbps=leg.up.kbps)
        for leg in trial.speeds
    ]
    return TrialSettings(packet_distribution=trial.distribution, legs=legs)


def _note_trouble(row: Tuning, leg_id: int | None, trouble: TuningFailed) -> None:
    """Keep why a leg could not be tuned, or the bond not be tested: the tuner may go on.

    Raises it for the tuning of one leg.
    """
    if row.leg_id is not None:
        raise trouble
    told = {"code": trouble.code.value, "words": trouble.words}
    row.troubles = {**row.troubles, OF_BOND if leg_id is None else str(leg_id): told}
    row.save(update_fields=["troubles"])


def _of_leg(tests: Iterable[SpeedTest], leg_id: int | None) -> list[SpeedTest]:
    return [test for test in tests if test.leg_id == leg_id]


def _spent(row: Tuning, of_leg: Sequence[SpeedTest], now: datetime) -> Spent:
    """Return what the tests of one leg took; a tuning of that leg alone is timed as a whole."""
    in_row = 0
    for test in reversed(of_leg):
        if test.status not in (TestStatus.FAILED, TestStatus.CANCELLED):
            break
        in_row += 1
    took = sum(((test.finished or now) - test.submitted for test in of_leg), timedelta())
    if row.leg_id is not None and row.started is not None:
        took = now - row.started
    last_error = of_leg[-1].error if of_leg else ""
    return Spent(took, sum(test.bytes_moved for test in of_leg), in_row, last_error)


def _targets(run: _Run, wanted: Wanted) -> Sequence[Leg]:
    """Return the leg of a test, or those that were tuned."""
    if wanted.leg_id is not None:
        return [run.legs[wanted.leg_id]]
    return [run.legs[leg.leg_id] for leg in wanted.trial.speeds] if wanted.trial else []


def _is_testable(run: _Run, wanted: Wanted) -> bool:
    """Say whether all legs that a test is about can be tested: two tests of a bond with one leg
    back from its own test in only one of them could not be compared.
    """
    states = testable_states(leg_id=wanted.leg_id, tuning_id=run.tuning.pk, now=run.now)
    return all(run.states[leg.pk] in states for leg in _targets(run, wanted))


def _run(row: Tuning, tests: list[SpeedTest], numbers: Numbers, now: datetime) -> _Run:
    """Read the legs of a tuning with their states; nobody changes them while it runs."""
    since = now - timedelta(seconds=current_settings().node_status_timeout)
    legs = Leg.objects.filter(bond=row.bond_id, link_mode=LinkMode.ACTIVE.value)
    if row.leg_id is not None:
        legs = legs.filter(pk=row.leg_id)
    states = legs.annotate(state=state_of_leg(since=since)).values_list("pk", "state")
    by_id = {leg.pk: leg for leg in legs.order_by("id")}
    limits = limits_of(row.bond.space_id)
    return _Run(row, by_id, dict(states), tests, numbers, limits, now)


def _measured(tests: Iterable[SpeedTest]) -> list[Measured]:
    """Return what the finished ones among the tests gave."""
    return [
        _of_results(test, test.results)
        for test in tests
        if test.status == TestStatus.FINISHED and test.results is not None
    ]


def _of_results(test: SpeedTest, results: dict[str, float]) -> Measured:
    return Measured(
        throughput_kbps=results["throughput"] / 1000,
        latency=results["latency_average"],
        deviation=results["latency_deviation"],
        loss=results["packet_loss"],
        course=tuple((one["time"], one["throughput"] / 1000) for one in test.progress_results),
        idle_latency=test.idle_latency,
        idle_deviation=test.idle_deviation,
    )
