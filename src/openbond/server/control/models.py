"""What the channel remembers of each node. Node ids are plain numbers: rows outlive the node."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class EndReason(models.TextChoices):
    """Why a certificate is no longer good."""

    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    DELETED = "deleted"
    REVOKED = "revoked"


class Enrolment(models.Model):
    """A machine that enrolled with a node's key, and the certificate it got. The newest one counts.

    The three numbers belong to the key: the highest request number of each exchange, and the
    highest report number that is stored. `boot_id` is the machine's, as last reported.
    """

    node_id = models.BigIntegerField(db_index=True)
    serial = models.CharField(max_length=40, unique=True)
    public_key = models.BinaryField(max_length=32)
    tunnel_key = models.BinaryField(max_length=32)
    certificate = models.TextField()
    expires = models.DateTimeField()
    machine_id = models.CharField(max_length=128)
    hardware = models.JSONField[dict[str, str]](default=dict)
    created = models.DateTimeField()
    ended = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=12, choices=EndReason, default="", blank=True)
    poll_number = models.BigIntegerField(default=0)
    report_number = models.BigIntegerField(default=0)
    reports_taken = models.BigIntegerField(default=0)
    boot_id = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["node_id"], condition=Q(ended__isnull=True), name="enrolment_one_current"
            ),
            models.CheckConstraint(
                condition=Q(ended__isnull=True, end_reason="")
                | Q(ended__isnull=False) & ~Q(end_reason=""),
                name="enrolment_ended_for_a_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires"], condition=Q(ended__isnull=True), name="enrolment_expires"
            ),
        ]

    def __str__(self) -> str:
        return f"node {self.node_id} on machine {self.machine_id}"


class PublishedConfig(models.Model):
    """The newest config of a node, and how far it got (behaviour 1.7, 1.9).

    `content` is the canonical JSON; revision 0: none yet. The revision is on offer from
    `offered_from` on; after a failure that lies ahead. `problems` are the objects that the node
    could not set up. `kept_content`: of `kept_revision`, the newest applied one that was still on
    offer when the node said so, unless it is too large to be looked at.
    """

    node_id = models.BigIntegerField(primary_key=True)
    revision = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")
    content = models.BinaryField(default=b"")
    forced = models.BooleanField(default=False)
    published = models.DateTimeField()
    offered_from = models.DateTimeField(db_index=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)
    delivered_revision = models.BigIntegerField(default=0)
    delivered = models.DateTimeField(null=True)
    applied_revision = models.BigIntegerField(default=0)
    applied = models.DateTimeField(null=True)
    kept_revision = models.BigIntegerField(default=0)
    kept_content = models.BinaryField(default=b"")
    problems = models.JSONField[list[dict[str, str]]](default=list)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(revision__gte=0), name="config_revision"),
        ]

    def __str__(self) -> str:
        return f"config {self.revision} of node {self.node_id}"


class NodeEvent(models.Model):
    """Something a node told that is worth keeping: a program restarted, reports were lost."""

    node_id = models.BigIntegerField(db_index=True)
    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=24)
    text = models.TextField()
    count = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"node {self.node_id}: {self.text}"


class PeriodicRun(models.Model):
    """When a periodic job last began; so one that was missed is made up for, and runs once."""

    name = models.CharField(max_length=40, primary_key=True)
    last = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.last}"
