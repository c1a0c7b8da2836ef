"""Prevented downtime of periods that late reports change no more (behaviour 4.9)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from openbond.server.bonds.models import Bond


class FixedPeriod(models.Model):
    """A period whose figures are fixed; a bond without a figure of it prevented nothing."""

    start = models.DateTimeField()
    end = models.DateTimeField()
    fixed = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["start", "end"], name="fixed_period_once")
        ]

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


class FixedFigure(models.Model):
    """What one bond prevented in a fixed period, in seconds; `legs`: the ids of those counted."""

    period = models.ForeignKey(FixedPeriod, models.CASCADE, related_name="figures")
    bond = models.ForeignKey(Bond, models.CASCADE, related_name="+")
    duration = models.PositiveBigIntegerField()
    count = models.PositiveIntegerField()
    none_left = models.PositiveBigIntegerField()
    legs = models.JSONField[list[Any]](default=list)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["period", "bond"], name="fixed_figure_once_of_bond")
        ]

    def __str__(self) -> str:
        return f"bond {self.bond_id}: {self.duration} s"
