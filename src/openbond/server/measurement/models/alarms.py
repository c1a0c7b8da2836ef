"""Alarms about legs and bonds, open and past (behaviour 3.10)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from openbond.server.bonds.models import Bond, Leg
from openbond.server.measurement.rules.alarms import AlarmKind

KINDS = [(kind.value, kind.value) for kind in AlarmKind]


class Alarm(models.Model):
    """One trouble of a leg, or of the bond without one. See rules.alarms.Track for the times."""

    kind = models.CharField(max_length=16, choices=KINDS)
    bond = models.ForeignKey(Bond, models.CASCADE, related_name="alarms")
    leg = models.ForeignKey(Leg, models.CASCADE, null=True, related_name="alarms")
    since = models.DateTimeField()
    opened = models.DateTimeField(null=True)
    fit_since = models.DateTimeField(null=True)
    closed = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["bond"], condition=Q(closed__isnull=True), name="alarm_unclosed")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                F("kind"),
                F("bond"),
                Coalesce(F("leg"), 0),
                condition=Q(closed__isnull=True),
                name="alarm_one_unclosed_of_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {f'leg {self.leg_id}' if self.leg_id else f'bond {self.bond_id}'}"
