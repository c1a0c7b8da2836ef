"""The installation's own rows: settings, audit, locks."""

import socket
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from .secrets import Secret


def machine_name() -> str:
    return socket.gethostname()


def no_texts() -> list[str]:
    return []


class EmailSecurity(models.TextChoices):
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


def _between(field: str, low: int, high: int) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__gte": low, f"{field}__lte": high}), name=f"settings_{field}"
    )


class Settings(models.Model):
    """The one row of settings (api-v3 08-system 9). Read it by selectors.current_settings()."""

    failover_interval = models.IntegerField(default=30)
    failover_receive_timeout = models.IntegerField(default=5)
    failover_retries = models.IntegerField(default=3)
    maintenance_mode = models.BooleanField(default=False)
    known_hosts_enabled = models.BooleanField(default=False)
    known_hosts = models.JSONField[list[str]](default=no_texts)
    allow_suspension = models.BooleanField(default=False)
    suspension_percentage = models.IntegerField(default=50)
    prevented_downtime_outage_length = models.IntegerField(default=30)
    timezone = models.CharField(max_length=64, default="UTC")
    metric_collection_interval = models.IntegerField(default=10)
    metric_reporting_interval = models.IntegerField(default=60)
    node_status_timeout = models.IntegerField(default=180)
    server_hostname = models.CharField(max_length=253, default=machine_name)
    email_from = models.CharField(max_length=254, default="", blank=True)
    email_host = models.CharField(max_length=253, default="localhost")
    email_port = models.IntegerField(default=25)
    email_username = models.CharField(max_length=255, default="", blank=True)
    sealed_email_password = models.TextField(default="", blank=True)
    email_security = models.CharField(
        max_length=8, choices=EmailSecurity, default=EmailSecurity.NONE
    )
    email_recipients = models.JSONField[list[str]](default=no_texts)
    backup_retention = models.IntegerField(default=7)
    token_max_lifetime = models.IntegerField(default=365)
    tunnel_network = models.CharField(max_length=18, default="240.0.0.0/8")
    management_network = models.CharField(max_length=18, default="10.250.0.0/16")
    # Additions of behaviour 6.12; not shown by API v3.
    failover_ask_bonders = models.BooleanField(default=False)
    failover_to_primary = models.BooleanField(default=False)
    modified = models.DateTimeField(auto_now=True)

    email_password = Secret("sealed_email_password")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="settings_one_row"),
            models.CheckConstraint(
                condition=Q(failover_receive_timeout__lt=F("failover_interval")),
                name="settings_timeout_below_interval",
            ),
            models.CheckConstraint(
                condition=Q(metric_reporting_interval__gte=F("metric_collection_interval")),
                name="settings_report_not_before_sample",
            ),
            _between("failover_interval", 5, 3600),
            _between("failover_receive_timeout", 1, 60),
            _between("failover_retries", 1, 10),
            _between("suspension_percentage", 1, 100),
            _between("prevented_downtime_outage_length", 1, 86400),
            _between("metric_collection_interval", 1, 3600),
            _between("metric_reporting_interval", 10, 86400),
            _between("node_status_timeout", 30, 3600),
            _between("email_port", 1, 65535),
            _between("backup_retention", 1, 365),
            _between("token_max_lifetime", 1, 3650),
        ]

    def __str__(self) -> str:
        return "settings"


class AuditEntry(models.Model):
    """Who changed what, when, from where; written in the transaction of the change.

    `actor` is null for the server itself and for deleted users; `actor_name` stays. Secrets are
    left out of `before` and `after`.
    """

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    actor_name = models.CharField(max_length=254)
    origin = models.CharField(max_length=64, default="", blank=True)
    action = models.CharField(max_length=40)
    kind = models.CharField(max_length=40)
    object_id = models.BigIntegerField(null=True)
    object_name = models.CharField(max_length=255)
    space = models.ForeignKey("spaces.Space", models.SET_NULL, null=True, related_name="+")
    before = models.JSONField[dict[str, object]](default=dict)
    after = models.JSONField[dict[str, object]](default=dict)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["kind", "object_id"])]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.kind} {self.object_name}"


class NamedLock(models.Model):
    """A row that writers lock to take turns where no constraint can decide (locks.py)."""

    name = models.CharField(max_length=40, unique=True)

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """One notice to operators, about anything. Equal ones within an hour are one, with a count.

    `about` names the object for people and programs, e.g. "node 17".
    """

    code = models.CharField(max_length=40)
    about = models.CharField(max_length=64)
    text = models.TextField()
    created = models.DateTimeField(db_index=True)
    last = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["code", "about", "created"])]

    def __str__(self) -> str:
        return f"{self.about}: {self.text}"


class Mail(models.Model):
    """One mail to operators; written with its cause, sent after it (behaviour 6.8).

    Equal causes (`code`, `about`) within an hour are one mail: `count` of them, the last at `last`.
    It is sent from `due` on, and given up when that fails for a day.
    """

    code = models.CharField(max_length=40)
    about = models.CharField(max_length=64)
    recipients = models.JSONField[list[str]]()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    created = models.DateTimeField()
    last = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    due = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)
    sent = models.DateTimeField(null=True)
    given_up = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["code", "about", "created"]),
            models.Index(fields=["created"]),
        ]

    def __str__(self) -> str:
        return self.subject


class MaintenanceWindow(models.Model):
    """Somebody works at a bond, or at a space and all below it: no alarm opens there (3.10).

    `bond_id` is a number and no foreign key: bonds lie above this room.
    """

    bond_id = models.BigIntegerField(null=True)
    space = models.ForeignKey("spaces.Space", models.CASCADE, null=True, related_name="+")
    begins = models.DateTimeField()
    ends = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(bond_id__isnull=True) ^ Q(space__isnull=True),
                name="maintenance_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(ends__gte=F("begins")), name="maintenance_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        what = f"bond {self.bond_id}" if self.bond_id is not None else f"space {self.space_id}"
        return f"maintenance of {what} until {self.ends:%Y-%m-%d %H:%M} UTC"
