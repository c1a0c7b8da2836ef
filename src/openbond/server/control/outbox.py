"""Looks, a few times a second and for all nodes at once, for what must be published or given.

One look is three queries, however many polls are held; so it finds what other processes wrote, on
every database, and nothing is lost with a process.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import Count, Min, Q

from openbond.server.fleet.models import ConfigUpdate, Node, Tombstone, UpdateStatus

from .models import EndReason, Enrolment, PublishedConfig
from .publish import publish, publish_together

# Changes to one node within this time share a revision (behaviour 1.7).
GATHERED_FOR = timedelta(milliseconds=200)
# Configs that are published in one transaction: enough to read rows together, few enough that no
# other writer waits long.
TOGETHER = 50
# How far back a look goes: transactions of others may commit late, and clocks differ a little.
LOOKS_BACK = timedelta(seconds=5)


@dataclass(slots=True)
class Published:
    """What one look did: nodes with a config that may be new, and nodes whose config failed."""

    nodes: set[int] = field(default_factory=set)
    failed: dict[int, Exception] = field(default_factory=dict)


def publish_changes(*, now: datetime, leave_out: Collection[int] = ()) -> Published:
    """Publish the configs of all nodes with config updates that waited long enough.

    A node whose config cannot be compiled holds up no other.
    """
    waiting = ConfigUpdate.objects.filter(revision__isnull=True).order_by()
    # Of a planned move: not before its turn. A node takes its changes in order, so all of its wait.
    early = Q(held_until__gt=now) & ~Q(waits_for__status=UpdateStatus.APPLIED)
    first = waiting.values("node_id").annotate(
        first=Min("created"), early=Count("pk", filter=early)
    )
    ready = first.filter(first__lte=now - GATHERED_FOR, early=0)
    due = ready.values_list("node_id", flat=True)
    done = Published()
    waiting_nodes = sorted(set(due) - set(leave_out))
    for start in range(0, len(waiting_nodes), TOGETHER):
        _publish_part(waiting_nodes[start : start + TOGETHER], now, done)
    return done


def _publish_part(node_ids: list[int], now: datetime, done: Published) -> None:
    try:
        publish_together(node_ids, now=now)
    except DatabaseError:
        raise
    except Exception:
        # One of them cannot be compiled: each for itself, to find out which.
        for node_id in node_ids:
            _publish_one(node_id, now, done)
    else:
        done.nodes.update(node_ids)


def _publish_one(node_id: int, now: datetime, done: Published) -> None:
    try:
        publish(node_id=node_id, now=now)
    except DatabaseError:
        raise
    except Exception as error:
        done.failed[node_id] = error
    else:
        done.nodes.add(node_id)


def publish_decommissions(*, now: datetime) -> set[int]:
    """Publish the last config of nodes that were just deleted, and void their certificates."""
    buried = Tombstone.objects.filter(deleted__gt=now - LOOKS_BACK)
    nodes = set(buried.values_list("node_id", flat=True))
    return {node_id for node_id in nodes if _decommission(node_id, now)}


def newly_offered(*, now: datetime) -> list[tuple[int, int]]:
    """Return node and revision of configs whose offer began within the last seconds."""
    recent = PublishedConfig.objects.filter(
        offered_from__gt=now - LOOKS_BACK, offered_from__lte=now
    )
    return list(recent.values_list("node_id", "revision"))


def void_certificates_of_deleted_nodes(*, now: datetime) -> set[int]:
    """Void what is left of deletions at whose time no server ran."""
    current = Enrolment.objects.filter(ended__isnull=True).values_list("node_id", flat=True)
    gone = set(current) - set(Node.objects.filter(pk__in=current).values_list("pk", flat=True))
    return {node_id for node_id in gone if _decommission(node_id, now)}


@transaction.atomic
def _decommission(node_id: int, now: datetime) -> bool:
    current = Enrolment.objects.filter(node_id=node_id, ended__isnull=True)
    if not current.update(ended=now, end_reason=EndReason.DELETED):
        return False
    if Tombstone.objects.filter(node_id=node_id).exists():
        publish(node_id=node_id, now=now)
    return True
