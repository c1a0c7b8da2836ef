"""Gives a node's config its number: a new revision when, and only when, it differs (1.7)."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from openbond.server.bonds.models import Bond
from openbond.server.fleet.models import ConfigUpdate, Node, Tombstone, UpdateStatus
from openbond.server.measurement.services import record_records
from openbond.wire.canonical import canonical_bytes, content_hash
from openbond.wire.config import NodeContent

from .compile import compile_node, compile_tombstone
from .models import PublishedConfig
from .rows import rows_of
from .update_states import Event, sources_of


class NoSuchNode(LookupError):
    """Neither a node nor a tombstone of one has this id."""


@transaction.atomic
def publish(*, node_id: int, now: datetime, above: int = 0) -> PublishedConfig:
    """Compile a node's config; if it differs from the last one, publish it as the next revision.

    `above`: publish anew with a higher revision than this one, which the node has and the server
    does not know (restored from a backup). Raises NoSuchNode.
    """
    PublishedConfig.objects.get_or_create(
        node_id=node_id, defaults={"published": now, "offered_from": now}
    )
    config = PublishedConfig.objects.select_for_update().get(pk=node_id)
    # Read before compiling: what comes in later is in the next revision, never lost.
    fresh = list(_unpublished(node_id).values_list("pk", "created"))
    _watch_legs(node_id, at=max([at for _, at in fresh], default=now))
    content = canonical_bytes(content_of(node_id))
    _renew(config, content, above=above, now=now)
    updates = ConfigUpdate.objects.filter(pk__in=[pk for pk, _ in fresh])
    updates.update(revision=config.revision)
    for event in _what_happened_to(config):
        move_updates(updates, event, now=now, error=config.last_error)
    return config


def move_updates(
    updates: QuerySet[ConfigUpdate], event: Event, *, now: datetime, error: str = ""
) -> None:
    """Let an event happen to config updates; those it does not concern stay as they are."""
    for status, sources in sources_of(event).items():
        moved = updates.filter(status__in=sources)
        if status == UpdateStatus.APPLIED:
            moved.update(status=status, settled=now)
        elif status == UpdateStatus.FAILED:
            moved.update(status=status, failure_count=F("failure_count") + 1, last_error=error)
        else:
            moved.update(status=status)


def _unpublished(node_id: int) -> QuerySet[ConfigUpdate]:
    return ConfigUpdate.objects.filter(node_id=node_id, revision__isnull=True)


def content_of(node_id: int) -> NodeContent:
    """Compile what a node must know now. Raises NoSuchNode."""
    node = Node.objects.select_related("space").filter(pk=node_id).first()
    if node is not None:
        return compile_node(rows_of(node))
    tombstone = Tombstone.objects.filter(node_id=node_id).first()
    if tombstone is None:
        raise NoSuchNode(f"there is no node {node_id}")
    return compile_tombstone(tombstone)


def _watch_legs(node_id: int, *, at: datetime) -> None:
    # Each change of a leg's mode or of a bond's aggregator publishes the bonder's config, so here
    # is where histories learn of it; `at` is when the change was written.
    for bond in Bond.objects.filter(bonder_id=node_id):
        record_records(bond=bond, at=at)


def _renew(config: PublishedConfig, content: bytes, *, above: int, now: datetime) -> None:
    digest = content_hash(content)
    config.forced = _is_forced(config)
    if config.hash == digest and config.revision > above:
        config.save(update_fields=["forced"])
        return
    config.revision = max(config.revision, above) + 1
    config.hash, config.content = digest, content
    config.published = config.offered_from = now
    config.failures, config.last_error = 0, ""
    config.save()


def _is_forced(config: PublishedConfig) -> bool:
    forced = ConfigUpdate.objects.filter(node_id=config.node_id, forced=True)
    return forced.exclude(status=UpdateStatus.APPLIED).exists()


def _what_happened_to(config: PublishedConfig) -> list[Event]:
    """Return what the node already did with this revision, when a change did not alter it."""
    if config.applied_revision >= config.revision:
        return [Event.APPLIED]
    if config.delivered_revision < config.revision:
        return []
    return [Event.DELIVERED, Event.FAILED] if config.failures else [Event.DELIVERED]
