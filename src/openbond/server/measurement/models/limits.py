"""What a space allows measurements to cost; API v3 has no field for it (behaviour 4.2 to 4.5)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from openbond.server.spaces.models import Space


class MeasuringLimits(models.Model):
    """The limits that a space sets itself; null is the nearest ancestor's (rules/limits.py)."""

    space = models.OneToOneField(Space, models.CASCADE, related_name="+")
    test_mb = models.PositiveIntegerField(null=True)
    test_mobile_mb = models.PositiveIntegerField(null=True)
    tuner_mb = models.PositiveIntegerField(null=True)
    tuner_mobile_mb = models.PositiveIntegerField(null=True)
    answer_minutes = models.PositiveIntegerField(null=True)
    wait_minutes = models.PositiveIntegerField(null=True)
    wait_in_bond_minutes = models.PositiveIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(
                    Q(test_mb=0)
                    | Q(test_mobile_mb=0)
                    | Q(tuner_mb=0)
                    | Q(tuner_mobile_mb=0)
                    | Q(answer_minutes=0)
                    | Q(wait_minutes=0)
                    | Q(wait_in_bond_minutes=0)
                ),
                name="measuring_limits_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"measuring limits of {self.space}"
