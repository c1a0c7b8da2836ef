"""Rows of the database `telemetry`: few and packed, for it takes in 500 a second (ADR 0010).

It knows other databases' rows by their ids alone. Times are ms since 1970, on the server's clock.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from .rules.series import Told

TOLD = [(told.value, told.name.lower()) for told in Told]


class Subject(models.Model):
    """What samples are of: a node, or a bond with its legs as one end tells of it.

    A node also keeps which machine told last (`teller`, an enrolment) and the number of its last
    report here, so that a report counts once whatever became of the answer.

    Samples taken in up to `minutes_until` stand in roll-ups of 60 s; of those, the rows made up to
    `hours_until` stand in roll-ups of an hour.
    """

    told = models.SmallIntegerField(choices=TOLD)
    object_id = models.BigIntegerField()
    teller = models.BigIntegerField(default=0)
    last_number = models.BigIntegerField(default=0)
    minutes_until = models.BigIntegerField(db_index=True)
    hours_until = models.BigIntegerField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["told", "object_id"], name="subject_once"),
        ]

    def __str__(self) -> str:
        return f"{Told(self.told).name.lower()} {self.object_id}"


class Samples(models.Model):
    """What one report told of one subject (rules/samples.py), taken in at `at`."""

    subject_id = models.BigIntegerField()
    at = models.BigIntegerField()
    packed = models.BinaryField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["subject_id", "at"], name="samples_of_subject")]

    def __str__(self) -> str:
        return f"samples of subject {self.subject_id}"


class Minutes(models.Model):
    """Roll-ups of 60 s (rules/roll_ups.py), made of all that was taken in until `at`."""

    subject_id = models.BigIntegerField()
    at = models.BigIntegerField()
    packed = models.BinaryField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["subject_id", "at"], name="minutes_of_subject")]

    def __str__(self) -> str:
        return f"minutes of subject {self.subject_id}"


class Hours(models.Model):
    """Roll-ups of 3,600 s: the row of one month of 30 days; `at` is when it begins."""

    subject_id = models.BigIntegerField()
    at = models.BigIntegerField()
    packed = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject_id", "at"], name="hours_of_a_month_once"),
        ]

    def __str__(self) -> str:
        return f"hours of subject {self.subject_id}"
