"""Takes in the reports of nodes: each number once, at corrected times (behaviour 1.9, 3.9)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import OperationalError, transaction

from openbond.server.fleet.models import ConfigUpdate
from openbond.server.measurement.services import (
    take_test_ended,
    take_test_progress,
    take_test_ready,
)
from openbond.server.system.alerts import raise_alert
from openbond.server.system.doorbell import ring_on_commit
from openbond.server.system.prepared import ManyWrites
from openbond.server.system.selectors import node_status_timeout
from openbond.wire.exchange import ReportAnswer, ReportRequest
from openbond.wire.reports import (
    BondRates,
    ConfigApplied,
    ConfigRefused,
    ConfigRolledBack,
    LegStateChanged,
    Metrics,
    NodeState,
    Noted,
    PathMtuMeasured,
    Problem,
    ProgramRestarted,
    Report,
    ReportsLost,
    SpeedTestEnded,
    SpeedTestProgress,
    SpeedTestReady,
)

from . import leg_reports, metric_reports
from .metric_reports import FromNode
from .models import Enrolment, NodeEvent, PublishedConfig
from .node_states import take_states
from .publish import move_updates
from .refusals import ChannelRefusal, superseded
from .signed_requests import Numbered, SignedRequest, Signer, signers_of, take_numbers
from .tellers import EPOCH, Arrival, Teller
from .update_states import Event, offered_again_at

# Bytes of a config that is kept to be compared on the site: a bonder's are a tenth of it.
MOST_KEPT = 256 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Handed:
    """Reports as a request brought them, its signature not yet checked."""

    request: SignedRequest
    told: ReportRequest


class _Intake:
    """One enrolled machine's request: which of its reports are new, and what became of them."""

    def __init__(self, enrolment: Enrolment, told: ReportRequest, now: datetime) -> None:
        self.enrolment = enrolment
        self._told = told
        self._now = now
        self._before = enrolment.reports_taken, enrolment.boot_id
        self.fresh = sorted(
            (report for report in told.reports if report.number > enrolment.reports_taken),
            key=lambda report: report.number,
        )

    def arrivals(self, timeout: timedelta) -> Iterator[Arrival[Report]]:
        """Yield the new reports in order; whoever goes on has taken the one before."""
        ahead = clock_ahead(self._told.sent_at_ms, now=self._now)
        for report in self.fresh:
            if report.number <= self.enrolment.reports_taken:
                continue  # it is in this request twice
            # Numbers that follow each other prove that no change of state was lost between.
            in_row = report.number == self.enrolment.reports_taken + 1
            teller = Teller(self.enrolment, timeout, ahead, in_row, self.enrolment.boot_id)
            at = corrected(report.at_ms, sent_at_ms=self._told.sent_at_ms, now=self._now)
            yield Arrival(report, teller, at, self._now)
            self.enrolment.reports_taken = report.number
            if isinstance(report, NodeState):
                self.enrolment.boot_id = report.boot_id

    def answer(self) -> ReportAnswer:
        return ReportAnswer(taken=self.enrolment.reports_taken)

    def undo(self) -> None:
        self.enrolment.reports_taken, self.enrolment.boot_id = self._before


def take_reports(handed: Sequence[Handed], *, now: datetime) -> list[ReportAnswer | Exception]:
    """Store the reports that are new, and say to each machine up to which number all is stored.

    Or why none of its reports is: a refusal, or a fault in taking them, which is its own alone.
    """
    signers = signers_of([one.request for one in handed], now=now)
    # First: what is stored there and not yet answered is known again when it comes again.
    _store_metrics(handed, signers, now)
    return _take_all(handed, signers, now)


def _store_metrics(handed: Sequence[Handed], signers: Sequence[Signer], now: datetime) -> None:
    told = [
        FromNode(signer, metrics, one.told.sent_at_ms)
        for one, signer in zip(handed, signers, strict=True)
        if isinstance(signer, Enrolment) and signer.ended is None
        if (metrics := [report for report in one.told.reports if isinstance(report, Metrics)])
    ]
    if told:
        metric_reports.intake.store(told, now=now)


@transaction.atomic
def _take_all(
    handed: Sequence[Handed], signers: Sequence[Signer], now: datetime
) -> list[ReportAnswer | Exception]:
    requests = [one.request for one in handed]
    enrolments = take_numbers(requests, signers, exchange=Numbered.REPORT)
    timeout = timedelta(seconds=node_status_timeout())
    outcomes: dict[int, ReportAnswer | Exception] = {}
    waiting: dict[int, Enrolment] = {}
    for place, enrolment in enumerate(enrolments):
        if isinstance(enrolment, ChannelRefusal):
            outcomes[place] = enrolment
        elif enrolment.ended is not None:
            outcomes[place] = superseded()
        else:
            waiting[place] = enrolment
    while waiting:
        # A machine that is there twice waits for its first request: the order is its own.
        first = {enrolment.pk: place for place, enrolment in reversed(waiting.items())}
        turn = {
            place: _Intake(waiting.pop(place), handed[place].told, now)
            for place in sorted(first.values())
        }
        outcomes |= _take_turn(turn, timeout)
    return [outcomes[place] for place in range(len(handed))]


def _take_turn(
    turn: Mapping[int, _Intake], timeout: timedelta
) -> dict[int, ReportAnswer | Exception]:
    """Take one request of each machine: those of a single, common report all together."""
    alone: dict[type | None, dict[int, _Intake]] = {}
    outcomes: dict[int, ReportAnswer | Exception] = {}
    for place, intake in turn.items():
        kind = type(intake.fresh[0]) if len(intake.fresh) == 1 else None
        if kind in _TOGETHER:
            alone.setdefault(kind, {})[place] = intake
        else:
            outcomes[place] = _take_one(intake, timeout)
    for kind, intakes in alone.items():
        outcomes |= _take_together(kind, intakes, timeout)
    return outcomes


def _take_together(
    kind: type | None, intakes: Mapping[int, _Intake], timeout: timedelta
) -> dict[int, ReportAnswer | Exception]:
    arrivals = [arrival for one in intakes.values() for arrival in one.arrivals(timeout)]
    try:
        with transaction.atomic():
            _TOGETHER[kind](arrivals)
            _write_taken(intakes.values())
    except OperationalError:
        raise  # it is the database
    except Exception:
        # One of them told something that cannot be stored; the others shall not wait for it.
        for intake in intakes.values():
            intake.undo()
        return {place: _take_one(intake, timeout) for place, intake in intakes.items()}
    return {
        place: ReportAnswer(taken=one.enrolment.reports_taken) for place, one in intakes.items()
    }


def _take_one(intake: _Intake, timeout: timedelta) -> ReportAnswer | Exception:
    try:
        with transaction.atomic():
            for arrival in intake.arrivals(timeout):
                kind = type(arrival.report)
                if kind in _TOGETHER:
                    _TOGETHER[kind]([arrival])
                else:
                    _TAKERS[kind](arrival.report, arrival)
            _write_taken([intake])
    except OperationalError:
        raise
    except Exception as failure:
        intake.undo()
        return failure
    return intake.answer()


def _write_taken(intakes: Iterable[_Intake]) -> None:
    # Beside what was taken: a number or a boot id that cannot be stored is its node's trouble too.
    rows = (intake.enrolment for intake in intakes)
    _WRITE_TAKEN.run((row.pk, row.reports_taken, row.boot_id) for row in rows)


def corrected(at_ms: int, *, sent_at_ms: int, now: datetime) -> datetime:
    """Return a node's time on the server's clock: as long before now as it was before sending."""
    return now - timedelta(milliseconds=max(0, sent_at_ms - at_ms))


def clock_ahead(sent_at_ms: int, *, now: datetime) -> timedelta:
    """Return how far a node's clock is ahead of the server's; the way between counts as none."""
    return timedelta(milliseconds=sent_at_ms) - (now - EPOCH)


def _config_applied(report: ConfigApplied, arrival: Arrival[Report]) -> None:
    node_id, now = arrival.teller.node_id, arrival.now
    config = _config(node_id)
    if config is None or report.revision > config.revision:
        return  # of a server before it was restored; the next poll brings a revision above it
    if report.revision > config.applied_revision:
        config.applied_revision, config.applied = report.revision, arrival.at
        config.problems = _plain([*report.failures, *report.warnings])
        changed = ["applied_revision", "applied", "problems"]
        if report.revision == config.revision and len(config.content) <= MOST_KEPT:
            config.kept_revision, config.kept_content = config.revision, config.content
            changed += ["kept_revision", "kept_content"]
        config.save(update_fields=changed)
    contained = ConfigUpdate.objects.filter(node_id=node_id, revision__lte=report.revision)
    move_updates(contained, Event.APPLIED, now=now)
    ring_on_commit()  # another node may have waited for this one (behaviour 6.2)
    log.info("config applied", node=node_id, revision=report.revision, steps=report.steps)


def _config_refused(report: ConfigRefused, arrival: Arrival[Report]) -> None:
    _failed(report.revision, f"refused, {report.reason}: {report.detail}", arrival)


def _config_rolled_back(report: ConfigRolledBack, arrival: Arrival[Report]) -> None:
    objects = "; ".join(f"{problem.about}: {problem.text}" for problem in report.objects)
    _failed(report.revision, f"rolled back, {report.reason}{objects and ': '}{objects}", arrival)


def _failed(revision: int, words: str, arrival: Arrival[Report]) -> None:
    node_id, now = arrival.teller.node_id, arrival.now
    contained = ConfigUpdate.objects.filter(node_id=node_id, revision__lte=revision)
    move_updates(contained, Event.FAILED, now=now, error=words)
    config = _config(node_id)
    if config is not None and config.revision == revision:
        config.failures, config.last_error = config.failures + 1, words
        config.offered_from = offered_again_at(config.failures, now=now)
        config.save(update_fields=["failures", "last_error", "offered_from"])
    text = f"Node {node_id} did not take config {revision}: {words}"
    raise_alert(code="config_failed", about=f"node {node_id}", text=text, now=now)


def _leg_state_changed(report: LegStateChanged, arrival: Arrival[Report]) -> None:
    leg_reports.take_change(report, teller=arrival.teller, at=arrival.at)


def _path_mtu_measured(report: PathMtuMeasured, arrival: Arrival[Report]) -> None:
    leg_reports.take_path_mtu(report, teller=arrival.teller, at=arrival.at)


def _program_restarted(report: ProgramRestarted, arrival: Arrival[Report]) -> None:
    text = f"{report.program} was restarted: {report.reason}"
    _note("program_restarted", text, report.count, arrival)


def _reports_lost(report: ReportsLost, arrival: Arrival[Report]) -> None:
    text = f"{report.count} reports were dropped: the node's queue was full"
    _note("reports_lost", text, report.count, arrival)


def _noted(report: Noted, arrival: Arrival[Report]) -> None:
    _note("noted", f"{report.about}: {report.text}", 1, arrival)


def _test_ready(report: SpeedTestReady, arrival: Arrival[Report]) -> None:
    take_test_ready(report, node_id=arrival.teller.node_id, now=arrival.now)


def _test_progress(report: SpeedTestProgress, arrival: Arrival[Report]) -> None:
    take_test_progress(report, node_id=arrival.teller.node_id, now=arrival.now)


def _test_ended(report: SpeedTestEnded, arrival: Arrival[Report]) -> None:
    take_test_ended(report, node_id=arrival.teller.node_id, now=arrival.now)


def _note(kind: str, text: str, count: int, arrival: Arrival[Report]) -> None:
    node_id = arrival.teller.node_id
    NodeEvent.objects.create(node_id=node_id, at=arrival.at, kind=kind, text=text, count=count)
    log.warning(kind, node=node_id, text=text, count=count)


def _config(node_id: int) -> PublishedConfig | None:
    return PublishedConfig.objects.select_for_update().filter(pk=node_id).first()


def _plain(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"about": problem.about, "text": problem.text} for problem in problems]


_TAKERS: dict[type, Callable[..., None]] = {
    ConfigApplied: _config_applied,
    ConfigRefused: _config_refused,
    ConfigRolledBack: _config_rolled_back,
    LegStateChanged: _leg_state_changed,
    PathMtuMeasured: _path_mtu_measured,
    ProgramRestarted: _program_restarted,
    ReportsLost: _reports_lost,
    Noted: _noted,
    SpeedTestReady: _test_ready,
    SpeedTestProgress: _test_progress,
    SpeedTestEnded: _test_ended,
}

# What every node tells every minute: taken together, for many nodes at once.
_TOGETHER: dict[type | None, Callable[..., None]] = {
    NodeState: take_states,
    BondRates: leg_reports.take_rates,
    Metrics: leg_reports.take_newest_rates,
}

_WRITE_TAKEN = ManyWrites(Enrolment, "reports_taken", "boot_id")
