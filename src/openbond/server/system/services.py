"""Writes to the installation's own rows: settings and the audit."""

from datetime import datetime
from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from openbond.server.errors import InvalidFields

from .actors import Actor
from .changes import Change, change_row
from .models import AuditEntry, Settings
from .rules import faults_of_settings
from .selectors import current_settings


class SettingsChanges(TypedDict, total=False):
    """Names and units of api-v3 08-system 9; the two networks are set at installation."""

    failover_interval: int
    failover_receive_timeout: int
    failover_retries: int
    maintenance_mode: bool
    known_hosts_enabled: bool
    known_hosts: list[str]
    allow_suspension: bool
    suspension_percentage: int
    prevented_downtime_outage_length: int
    timezone: str
    metric_collection_interval: int
    metric_reporting_interval: int
    node_status_timeout: int
    server_hostname: str
    email_from: str
    email_host: str
    email_port: int
    email_username: str
    email_password: str
    email_security: str
    email_recipients: list[str]
    backup_retention: int
    token_max_lifetime: int
    failover_ask_bonders: bool
    failover_to_primary: bool


@transaction.atomic
def update_settings(*, by: Actor, **changes: Unpack[SettingsChanges]) -> Settings:
    """Change the settings given; the others stay.

    Raises InvalidFields where values do not fit together after the write.
    """
    now = timezone.now()
    Settings.objects.get_or_create(pk=1, defaults=_defaults())
    row = Settings.objects.select_for_update().get(pk=1)
    change = _fitting(row, changes, now=now)
    if change:
        record(by=by, action="update", row=row, kind="settings", change=change, now=now)
    return row


def record(
    *,
    by: Actor,
    action: str,
    row: Model,
    change: Change,
    now: datetime,
    kind: str = "",
    space_id: int | None = None,
) -> None:
    """Write who did what to `row`, in the caller's transaction (behaviour 6.5).

    `kind` is the class's name in lower case unless given; `space_id` is whose history it is.
    """
    entry_of(
        by=by, action=action, row=row, change=change, now=now, kind=kind, space_id=space_id
    ).save(force_insert=True)


def entry_of(
    *,
    by: Actor,
    action: str,
    row: Model,
    change: Change,
    now: datetime,
    kind: str = "",
    space_id: int | None = None,
) -> AuditEntry:
    """Return what `record` writes, unsaved, for those who write many at once."""
    return AuditEntry(
        at=now,
        actor_id=by.user_id,
        actor_name=by.name,
        origin=by.origin,
        action=action,
        kind=kind or row._meta.model_name or "",
        object_id=row.pk,
        object_name=str(row)[:255],
        space_id=space_id,
        before=change.before,
        after=change.after,
    )


def forget_audit(*, before: datetime) -> None:
    """Delete entries that have been kept long enough."""
    AuditEntry.objects.filter(at__lt=before).delete()


def _fitting(row: Settings, changes: SettingsChanges, *, now: datetime) -> Change:
    sent = dict(changes)
    faults = faults_of_settings(
        sent=sent,
        failover_interval=changes.get("failover_interval", row.failover_interval),
        failover_receive_timeout=changes.get(
            "failover_receive_timeout", row.failover_receive_timeout
        ),
        metric_collection_interval=changes.get(
            "metric_collection_interval", row.metric_collection_interval
        ),
        metric_reporting_interval=changes.get(
            "metric_reporting_interval", row.metric_reporting_interval
        ),
    )
    if faults:
        raise InvalidFields(faults)
    return change_row(row, sent, now=now)


def _defaults() -> dict[str, object]:
    fresh = current_settings()
    return {field.attname: getattr(fresh, field.attname) for field in Settings._meta.fields[1:]}
