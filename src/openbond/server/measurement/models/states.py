"""How the states of legs moved, as told by three sources; intervals are computed from it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from openbond.server.bonds.models import Leg
from openbond.server.measurement.rules import Source

SOURCES = [(source.value, source.value) for source in Source]


class LegChange(models.Model):
    """From `start` on, a source said this state of a leg, until its next row.

    Rows of one leg and source are written in the order of their start, equal neighbours never.
    """

    leg = models.ForeignKey(Leg, models.CASCADE, related_name="changes")
    source = models.CharField(max_length=10, choices=SOURCES)
    state = models.CharField(max_length=12)
    start = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["leg", "source", "start"])]

    def __str__(self) -> str:
        return f"leg {self.leg_id}: {self.source} {self.state} from {self.start}"


class LegWatch(models.Model):
    """What the records last said of a leg, so that a change of them is noticed once."""

    leg = models.OneToOneField(Leg, models.CASCADE, primary_key=True, related_name="watch")
    offline = models.BooleanField()
    on_duty = models.BooleanField(default=False)
    aggregator_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"watch of leg {self.leg_id}"
