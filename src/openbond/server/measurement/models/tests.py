"""Speed tests, and the tunings that run them (api-v3 05-performance 1 and 2)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from openbond.server.bonds.models import Bond, Leg
from openbond.server.fleet.models import Aggregator
from openbond.server.system.columns import Dated


class Protocol(models.TextChoices):
    TCP = "tcp"
    UDP = "udp"


class Direction(models.TextChoices):
    """As the customer sees it."""

    DOWNLOAD = "download"
    UPLOAD = "upload"


class TestStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TuningStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TuningDecision(models.TextChoices):
    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class StoppedBy(models.TextChoices):
    """What ended the traffic of a test that finished."""

    LENGTH = "length"
    BYTES = "bytes"


def nothing_yet() -> list[Any]:
    return []


def nobody_yet() -> dict[str, Any]:
    return {}


class Tuning(Dated):
    """A series of speed tests that recommends settings: of one leg, or of the bond without one.

    `recommendations` is as version 3 of the API shows it, without addresses; `reasons` says why,
    as `about` and `words`. Its speed tests are the progress that a restarted server goes on from.

    `aggregator`: on which it began. `waiting_since`: when the leg that comes next was first found
    unfit to be tested. `troubles`: by the id of a leg, `code` and `words` of why it could not be
    tuned.
    """

    bond = models.ForeignKey(Bond, models.CASCADE, related_name="tunings")
    leg = models.ForeignKey(Leg, models.CASCADE, null=True, related_name="tunings")
    status = models.CharField(max_length=10, choices=TuningStatus, default=TuningStatus.QUEUED)
    recommendations = models.JSONField[dict[str, Any] | None](null=True)
    decision = models.CharField(  # noqa: DJ001
        max_length=10, choices=TuningDecision, null=True
    )
    automatic = models.BooleanField(default=False)
    submitted = models.DateTimeField()
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    decided = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)
    reasons = models.JSONField[list[dict[str, str]]](default=nothing_yet)
    aggregator = models.ForeignKey(Aggregator, models.SET_NULL, null=True, related_name="+")
    waiting_since = models.DateTimeField(null=True)
    troubles = models.JSONField[dict[str, dict[str, str]]](default=nobody_yet)

    class Meta:
        ordering: ClassVar = ["id"]
        # Unfinished ones are looked for every second; see SpeedTest.
        indexes: ClassVar = [models.Index(fields=["status"], name="tuning_status")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(recommendations__isnull=True, decision__isnull=True)
                | Q(recommendations__isnull=False, decision__isnull=False),
                name="tuning_decision_fits_recommendations",
            ),
            # Two tunings of one bond would pull at the same settings.
            models.UniqueConstraint(
                fields=["bond"],
                condition=Q(status__in=["queued", "running"]),
                name="tuning_one_unfinished_of_bond",
            ),
        ]

    def __str__(self) -> str:
        return f"tuning {self.pk}"


class SpeedTest(Dated):
    """A measurement of a bond, or of one leg. Rates in kbit/s, `length` in seconds.

    What was true when it was submitted is kept with it: versions, aggregator, configuration.
    `idle_seconds`: how long the latency of the idle line is probed before the traffic; what that
    gave are `idle_latency` and `idle_deviation`, in ms. `bytes_moved`: of outer packets, both ways.

    `ordered`: when its turn came; from then on both nodes are told of it. `ends`: what they told so
    far, by the name of the end. `port`: on which its traffic runs, at the aggregator.
    """

    bond = models.ForeignKey(Bond, models.CASCADE, related_name="speed_tests")
    leg = models.ForeignKey(Leg, models.CASCADE, null=True, related_name="speed_tests")
    tuning = models.ForeignKey(Tuning, models.CASCADE, null=True, related_name="speed_tests")
    protocol = models.CharField(max_length=3, choices=Protocol, default=Protocol.TCP)
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.DOWNLOAD)
    length = models.PositiveIntegerField(default=10)
    rate_limit_kbps = models.PositiveIntegerField(null=True)
    concurrency = models.PositiveSmallIntegerField(default=1)
    idle_seconds = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=10, choices=TestStatus, default=TestStatus.QUEUED)
    description = models.CharField(max_length=200)
    submitted = models.DateTimeField()
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)
    progress_results = models.JSONField[list[Any]](default=nothing_yet)
    results = models.JSONField[dict[str, Any] | None](null=True)
    idle_latency = models.FloatField(null=True)
    idle_deviation = models.FloatField(null=True)
    stopped_by = models.CharField(max_length=6, choices=StoppedBy, default="", blank=True)
    bytes_moved = models.BigIntegerField(default=0)
    ordered = models.DateTimeField(null=True)
    ends = models.JSONField[dict[str, Any]](default=dict)
    port = models.PositiveIntegerField(default=0)
    aggregator = models.ForeignKey(Aggregator, models.SET_NULL, null=True, related_name="+")
    bonder_version = models.CharField(max_length=64, default="", blank=True)
    aggregator_version = models.CharField(max_length=64, default="", blank=True)
    bond_configuration = models.JSONField[dict[str, Any] | None](null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["bond", "status"]),
            # Unfinished ones are looked for a few times a second, among all tests ever made. No
            # partial index: SQLite uses none where the condition comes as parameters.
            models.Index(fields=["status", "bond"]),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(length__gte=1, length__lte=300), name="speed_test_length"
            ),
            models.CheckConstraint(
                condition=Q(concurrency__gte=1, concurrency__lte=16),
                name="speed_test_concurrency",
            ),
            models.CheckConstraint(
                condition=Q(idle_seconds__lte=60), name="speed_test_idle_seconds"
            ),
            models.UniqueConstraint(
                fields=["bond"], condition=Q(status="running"), name="speed_test_one_runs_on_bond"
            ),
            models.UniqueConstraint(
                fields=["bond"],
                condition=Q(status__in=["queued", "running"], ordered__isnull=False),
                name="speed_test_one_ordered_on_bond",
            ),
        ]

    def __str__(self) -> str:
        return f"speed test {self.pk}"
