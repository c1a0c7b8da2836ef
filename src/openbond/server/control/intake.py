"""Takes in the reports of nodes: each number once, at corrected times (behaviour 1.9, 3.9)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from django.db import transaction

from openbond.server.fleet.models import ConfigUpdate
from openbond.server.measurement.services import (
    take_test_ended,
    take_test_progress,
    take_test_ready,
)
from openbond.server.system.alerts import raise_alert
from openbond.server.system.selectors import current_settings
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
    ReportsLost,
    SpeedTestEnded,
    SpeedTestProgress,
    SpeedTestReady,
)

from . import leg_reports, metric_reports
from .leg_reports import EPOCH, Teller
from .models import Enrolment, NodeEvent, PublishedConfig
from .publish import move_updates
from .refusals import superseded
from .signed_requests import Numbered, SignedRequest, signer_of, take_number
from .update_states import Event, offered_again_at

log = structlog.get_logger(__name__)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One report with who sent it and when, on the server's clock, it was so."""

    teller: Teller
    at: datetime
    now: datetime


def take_reports(*, request: SignedRequest, told: ReportRequest, now: datetime) -> ReportAnswer:
    """Store the reports that are new, and say up to which number all is stored.

    Raises ChannelRefusal.
    """
    enrolment = signer_of(request, now=now)
    if enrolment.ended is not None:
        raise superseded()
    metrics = [report for report in told.reports if isinstance(report, Metrics)]
    if metrics:
        # First: what is stored there and not yet answered is known again when it comes again.
        metric_reports.intake.store(metrics, teller=enrolment, sent_at_ms=told.sent_at_ms, now=now)
    return _take(enrolment, request.number, told, now)


@transaction.atomic
def _take(enrolment: Enrolment, number: int, told: ReportRequest, now: datetime) -> ReportAnswer:
    take_number(enrolment, number, Numbered.REPORT)
    enrolment = Enrolment.objects.select_for_update().get(pk=enrolment.pk)
    if enrolment.ended is not None:
        raise superseded()
    timeout = timedelta(seconds=current_settings().node_status_timeout)
    ahead = clock_ahead(told.sent_at_ms, now=now)
    for report in sorted(told.reports, key=lambda report: report.number):
        if report.number > enrolment.reports_taken:
            # Numbers that follow each other prove that no change of state was lost between.
            in_row = report.number == enrolment.reports_taken + 1
            teller = Teller(enrolment, timeout, ahead, in_row)
            at = corrected(report.at_ms, sent_at_ms=told.sent_at_ms, now=now)
            _TAKERS[type(report)](report, Arrival(teller, at, now))
            enrolment.reports_taken = report.number
    enrolment.save(update_fields=["reports_taken", "boot_id"])
    return ReportAnswer(taken=enrolment.reports_taken)


def corrected(at_ms: int, *, sent_at_ms: int, now: datetime) -> datetime:
    """Return a node's time on the server's clock: as long before now as it was before sending."""
    return now - timedelta(milliseconds=max(0, sent_at_ms - at_ms))


def clock_ahead(sent_at_ms: int, *, now: datetime) -> timedelta:
    """Return how far a node's clock is ahead of the server's; the way between counts as none."""
    return timedelta(milliseconds=sent_at_ms) - (now - EPOCH)


def _config_applied(report: ConfigApplied, arrival: Arrival) -> None:
    node_id, now = arrival.teller.node_id, arrival.now
    config = _config(node_id)
    if config is None or report.revision > config.revision:
        return  # of a server before it was restored; the next poll brings a revision above it
    if report.revision > config.applied_revision:
        config.applied_revision, config.applied = report.revision, arrival.at
        config.problems = _plain([*report.failures, *report.warnings])
        config.save(update_fields=["applied_revision", "applied", "problems"])
    contained = ConfigUpdate.objects.filter(node_id=node_id, revision__lte=report.revision)
    move_updates(contained, Event.APPLIED, now=now)
    log.info("config applied", node=node_id, revision=report.revision, steps=report.steps)


def _config_refused(report: ConfigRefused, arrival: Arrival) -> None:
    _failed(report.revision, f"refused, {report.reason}: {report.detail}", arrival)


def _config_rolled_back(report: ConfigRolledBack, arrival: Arrival) -> None:
    objects = "; ".join(f"{problem.about}: {problem.text}" for problem in report.objects)
    _failed(report.revision, f"rolled back, {report.reason}{objects and ': '}{objects}", arrival)


def _failed(revision: int, words: str, arrival: Arrival) -> None:
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


def _leg_state_changed(report: LegStateChanged, arrival: Arrival) -> None:
    leg_reports.take_change(report, teller=arrival.teller, at=arrival.at)


def _node_state(report: NodeState, arrival: Arrival) -> None:
    leg_reports.take_states(report, teller=arrival.teller, at=arrival.at)


def _path_mtu_measured(report: PathMtuMeasured, arrival: Arrival) -> None:
    leg_reports.take_path_mtu(report, teller=arrival.teller, at=arrival.at)


def _bond_rates(report: BondRates, arrival: Arrival) -> None:
    leg_reports.take_rates(report, teller=arrival.teller, at=arrival.at)


def _metrics(report: Metrics, arrival: Arrival) -> None:
    leg_reports.take_newest_rates(report, teller=arrival.teller, at=arrival.at)


def _program_restarted(report: ProgramRestarted, arrival: Arrival) -> None:
    text = f"{report.program} was restarted: {report.reason}"
    _note("program_restarted", text, report.count, arrival)


def _reports_lost(report: ReportsLost, arrival: Arrival) -> None:
    text = f"{report.count} reports were dropped: the node's queue was full"
    _note("reports_lost", text, report.count, arrival)


def _noted(report: Noted, arrival: Arrival) -> None:
    _note("noted", f"{report.about}: {report.text}", 1, arrival)


def _test_ready(report: SpeedTestReady, arrival: Arrival) -> None:
    take_test_ready(report, node_id=arrival.teller.node_id, now=arrival.now)


def _test_progress(report: SpeedTestProgress, arrival: Arrival) -> None:
    take_test_progress(report, node_id=arrival.teller.node_id, now=arrival.now)


def _test_ended(report: SpeedTestEnded, arrival: Arrival) -> None:
    take_test_ended(report, node_id=arrival.teller.node_id, now=arrival.now)


def _note(kind: str, text: str, count: int, arrival: Arrival) -> None:
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
    NodeState: _node_state,
    PathMtuMeasured: _path_mtu_measured,
    BondRates: _bond_rates,
    Metrics: _metrics,
    ProgramRestarted: _program_restarted,
    ReportsLost: _reports_lost,
    Noted: _noted,
    SpeedTestReady: _test_ready,
    SpeedTestProgress: _test_progress,
    SpeedTestEnded: _test_ended,
}
