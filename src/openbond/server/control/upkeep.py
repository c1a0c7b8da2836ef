"""What must be done from time to time: certificates expire, old rows go, configs are compared."""

from datetime import datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django_tasks_db.models import DBTaskResult

from openbond.server.fleet.models import ConfigUpdate, Node, Tombstone, UpdateStatus
from openbond.server.fleet.services import request_config_update
from openbond.server.measurement.models import Alarm, FixedPeriod
from openbond.server.measurement.services import forget_changes
from openbond.server.spaces.services import forget_sessions
from openbond.server.system.alerts import raise_alert
from openbond.server.system.backups import kept_backups, make_backup
from openbond.server.system.backups.keeping import has_room_for_two
from openbond.server.system.mail import forget_mails
from openbond.server.system.models import Alert, MaintenanceWindow
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import forget_audit
from openbond.wire.canonical import canonical_bytes, content_hash

from .models import EndReason, Enrolment, NodeEvent, PublishedConfig
from .publish import content_of
from .rows import peers_of

# How long rows are kept (behaviour 1.4, 1.9, 3.9, 6.5).
APPLIED_KEPT = timedelta(days=7)
HISTORY_KEPT = timedelta(days=400)
TASKS_KEPT = timedelta(days=7)
# A nightly backup is missed when the newest is older than a day and an hour.
BACKUP_LATE = timedelta(hours=25)

log = structlog.get_logger(__name__)


@transaction.atomic
def expire_certificates(*, now: datetime) -> None:
    """End certificates whose time is over; the other ends forget the key (behaviour 1.4)."""
    over = Enrolment.objects.filter(ended__isnull=True, expires__lte=now)
    for enrolment in over:
        Enrolment.objects.filter(pk=enrolment.pk).update(ended=now, end_reason=EndReason.EXPIRED)
        node = Node.objects.filter(pk=enrolment.node_id).first()
        if node is not None:
            reason = f"the certificate of {node.name} expired"
            request_config_update(peers_of(node), reason=reason)
            raise_alert(
                code="certificate_expired",
                about=f"node {node.pk}",
                text=f"The certificate of {node.name} expired: the node was away too long to "
                "renew it. It enrols again by itself when it returns.",
                now=now,
            )


def purge(*, now: datetime) -> None:
    """Delete what has been kept long enough."""
    applied = ConfigUpdate.objects.filter(status=UpdateStatus.APPLIED)
    applied.filter(settled__lt=now - APPLIED_KEPT).delete()
    _forget_tombstones(now - HISTORY_KEPT)
    forget_changes(before=now - HISTORY_KEPT)
    FixedPeriod.objects.filter(end__lt=now - HISTORY_KEPT).delete()
    NodeEvent.objects.filter(at__lt=now - HISTORY_KEPT).delete()
    Alarm.objects.filter(closed__lt=now - HISTORY_KEPT).delete()
    Alert.objects.filter(last__lt=now - HISTORY_KEPT).delete()
    forget_audit(before=now - HISTORY_KEPT)
    MaintenanceWindow.objects.filter(ends__lt=now - HISTORY_KEPT).delete()
    forget_mails(before=now - HISTORY_KEPT)
    forget_sessions(now=now)
    DBTaskResult.objects.finished().filter(finished_at__lt=now - TASKS_KEPT).delete()


def back_up(*, now: datetime) -> None:
    """Make a backup and keep those of the last days (behaviour 6.6)."""
    state = Path(settings.STATE_DIR)
    keep = timedelta(days=current_settings().backup_retention)
    made = make_backup(state=state, now=now, keep=keep)
    log.info("backup made", name=made.name, bytes=made.size)
    if not has_room_for_two(state, size=made.size):
        raise_alert(
            code="backup_room",
            about="backups",
            text=f"The disk of {state} has no room for two more backups. Make room, or keep fewer "
            "with the setting backup_retention.",
            now=now,
        )


def watch_backups(*, now: datetime) -> None:
    """Raise an alert when the newest backup is too old: it failed, or nobody made it."""
    newest = next(iter(kept_backups(Path(settings.STATE_DIR))), None)
    if newest is None or now - newest.created > BACKUP_LATE:
        since = f"since {newest.created:%Y-%m-%d %H:%M} UTC" if newest else "yet"
        raise_alert(
            code="backup_missing",
            about="backups",
            text=f"There is no good backup {since}. Look for the cause in the server's log, then "
            "run `openbond server backup`.",
            now=now,
        )


def compare_configs(*, now: datetime) -> None:
    """Compile every config again; a difference that nobody asked for is a defect (1.7)."""
    for node in Node.objects.order_by("id"):
        _compare_config(node, now)


@transaction.atomic
def _forget_tombstones(before: datetime) -> None:
    old = list(Tombstone.objects.filter(deleted__lt=before).values_list("node_id", flat=True))
    Enrolment.objects.filter(node_id__in=old).delete()
    PublishedConfig.objects.filter(node_id__in=old).delete()
    Tombstone.objects.filter(node_id__in=old).delete()


@transaction.atomic
def _compare_config(node: Node, now: datetime) -> None:
    config = PublishedConfig.objects.select_for_update().filter(pk=node.pk, revision__gt=0).first()
    if config is None or ConfigUpdate.objects.filter(node=node, revision__isnull=True).exists():
        return
    if content_hash(canonical_bytes(content_of(node.pk))) == config.hash:
        return
    log.error("config differs from what was published", node=node.pk, revision=config.revision)
    raise_alert(
        code="config_differs",
        about=f"node {node.pk}",
        text=f"The config of {node.name} changed and nobody asked for it: a defect of the "
        "server. The node is given the right one.",
        now=now,
    )
    request_config_update([node], reason="nightly comparison")
