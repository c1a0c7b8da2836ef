"""What must be done from time to time: certificates expire, old rows go, configs are compared."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from openbond.server.fleet.models import ConfigUpdate, Node, Tombstone, UpdateStatus
from openbond.server.fleet.services import request_config_update
from openbond.server.measurement.services import forget_changes
from openbond.server.system.alerts import raise_alert
from openbond.server.system.models import Alert
from openbond.wire.canonical import canonical_bytes, content_hash

from .models import EndReason, Enrolment, NodeEvent, PublishedConfig
from .publish import content_of
from .rows import peers_of

# How long rows are kept (behaviour 1.4, 1.9, 3.9).
APPLIED_KEPT = timedelta(days=7)
HISTORY_KEPT = timedelta(days=400)

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
    NodeEvent.objects.filter(at__lt=now - HISTORY_KEPT).delete()
    Alert.objects.filter(last__lt=now - HISTORY_KEPT).delete()


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
