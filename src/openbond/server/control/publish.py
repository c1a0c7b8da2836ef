"""Gives a node's config its number: a new revision when, and only when, it differs (1.7)."""

from collections.abc import Collection, Mapping
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
    return _publish([node_id], now=now, above=above)[node_id]


@transaction.atomic
def publish_together(node_ids: Collection[int], *, now: datetime) -> None:
    """Publish several nodes' configs: all, or none of them.

    The rows are read for all at once, which costs a fourth of one after the other.
    Raises NoSuchNode, and what is raised where one of them cannot be compiled.
    """
    _publish(node_ids, now=now, above=0)


def _publish(node_ids: Collection[int], *, now: datetime, above: int) -> dict[int, PublishedConfig]:
    configs = _locked_configs(node_ids, now)
    # Read before compiling: what comes in later is in the next revision, never lost.
    fresh = _unpublished(node_ids)
    _watch_legs({node: max((at for _, at in fresh[node]), default=now) for node in node_ids})
    contents = contents_of(node_ids)
    forced = _forced_among(node_ids)
    for node_id, config in configs.items():
        config.forced = node_id in forced
        _renew(config, canonical_bytes(contents[node_id]), above=above, now=now)
        _settle(config, [pk for pk, _ in fresh[node_id]], now)
    return configs


def _settle(config: PublishedConfig, fresh: list[int], now: datetime) -> None:
    if not fresh:
        return
    updates = ConfigUpdate.objects.filter(pk__in=fresh)
    updates.update(revision=config.revision)
    for event in _what_happened_to(config):
        move_updates(updates, event, now=now, error=config.last_error)


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


def _locked_configs(node_ids: Collection[int], now: datetime) -> dict[int, PublishedConfig]:
    rows = PublishedConfig.objects.filter(pk__in=node_ids).select_for_update().order_by("pk")
    found = {config.pk: config for config in rows}
    missing = [node_id for node_id in node_ids if node_id not in found]
    if missing:
        PublishedConfig.objects.bulk_create(
            (PublishedConfig(pk=pk, published=now, offered_from=now) for pk in missing),
            ignore_conflicts=True,
        )
        found = {config.pk: config for config in rows.all()}
    return found


def _unpublished(node_ids: Collection[int]) -> dict[int, list[tuple[int, datetime]]]:
    """Return id and time of each node's config updates that are in no revision yet."""
    fresh: dict[int, list[tuple[int, datetime]]] = {node_id: [] for node_id in node_ids}
    rows = ConfigUpdate.objects.filter(node_id__in=node_ids, revision__isnull=True)
    for pk, node_id, created in rows.values_list("pk", "node_id", "created"):
        fresh[node_id].append((pk, created))
    return fresh


def content_of(node_id: int) -> NodeContent:
    """Compile what a node must know now. Raises NoSuchNode."""
    return contents_of([node_id])[node_id]


def contents_of(node_ids: Collection[int]) -> dict[int, NodeContent]:
    """Compile what each node must know now, by id. Raises NoSuchNode."""
    nodes = list(Node.objects.select_related("space").filter(pk__in=node_ids))
    contents = {node_id: compile_node(rows) for node_id, rows in rows_of(nodes).items()}
    gone = [node_id for node_id in node_ids if node_id not in contents]
    if gone:
        for tombstone in Tombstone.objects.filter(node_id__in=gone):
            contents[tombstone.node_id] = compile_tombstone(tombstone)
    for node_id in node_ids:
        if node_id not in contents:
            raise NoSuchNode(f"there is no node {node_id}")
    return contents


def _watch_legs(times: Mapping[int, datetime]) -> None:
    # Each change of a leg's mode or of a bond's aggregator publishes the bonder's config, so here
    # is where histories learn of it; the time is when the change was written.
    bonds = Bond.objects.filter(bonder_id__in=times)
    record_records({bond.pk: (bond, times[bond.bonder_id]) for bond in bonds})


def _renew(config: PublishedConfig, content: bytes, *, above: int, now: datetime) -> None:
    digest = content_hash(content)
    if config.hash == digest and config.revision > above:
        config.save(update_fields=["forced"])
        return
    config.revision = max(config.revision, above) + 1
    config.hash, config.content = digest, content
    config.published = config.offered_from = now
    config.failures, config.last_error = 0, ""
    config.save(force_update=True)


def _forced_among(node_ids: Collection[int]) -> set[int]:
    forced = ConfigUpdate.objects.filter(node_id__in=node_ids, forced=True)
    waiting = forced.exclude(status=UpdateStatus.APPLIED)
    return set(waiting.values_list("node_id", flat=True))


def _what_happened_to(config: PublishedConfig) -> list[Event]:
    """Return what the node already did with this revision, when a change did not alter it."""
    if config.applied_revision >= config.revision:
        return [Event.APPLIED]
    if config.delivered_revision < config.revision:
        return []
    return [Event.DELIVERED, Event.FAILED] if config.failures else [Event.DELIVERED]
