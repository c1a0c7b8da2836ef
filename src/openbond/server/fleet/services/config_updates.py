"""The outbox: which node must learn what (behaviour 1.9)."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from openbond.server.fleet.models import ConfigUpdate, Node


def request_config_update(
    nodes: Iterable[Node | int | None],
    *,
    reason: str,
    bond_id: int | None = None,
    forced: bool = False,
) -> None:
    """Note that `nodes` (rows or ids; None is left out, each counts once) must learn something.

    The rows keep the order of `nodes`.

    Call it in the transaction of the change: a rollback then also forgets the request. `forced`
    makes a config that the node may not undo (behaviour 1.8, 1.10).
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a config update belongs to a change")
    now = timezone.now()
    ids = dict.fromkeys(node.pk if isinstance(node, Node) else node for node in nodes if node)
    ConfigUpdate.objects.bulk_create(
        ConfigUpdate(node_id=node_id, bond_id=bond_id, reason=reason, forced=forced, created=now)
        for node_id in ids
    )
