"""Writes to aggregators (api-v3 01-fleet 3)."""

from collections.abc import Collection, Mapping
from typing import Any, Unpack

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from openbond.server.errors import InUse, InvalidFields
from openbond.server.fleet.models import Aggregator, RoutingGroup
from openbond.server.fleet.selectors import default_routing_group, is_group_usable_in
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, shown_values
from openbond.server.system.constraints import refusing
from openbond.server.system.locks import locked
from openbond.server.system.rules import faults_of_checks
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import record
from openbond.wire.states import NodeKind

from .config_updates import request_config_update
from .nodes import TOLD, NodeOptions, bury, insert_node, node_defaults, write_node

IP_UNIQUE = {
    "aggregator_ip_unique": ("ip", "IP must be unique."),
    "aggregator_ipv6_unique": ("ipv6", "IPv6 must be unique."),
}
GROUP_NEEDED = "This field is required."
GROUP_NOT_USABLE = "The routing group may not be used in the aggregator's space."
SPACE_NOT_USABLE = "The aggregator's routing group may not be used in this space."
CHECK_NAMES = ("failover_interval", "failover_receive_timeout")
CHECKED_NAMES = (*CHECK_NAMES, "routing_group", "space")


class AggregatorOptions(NodeOptions, total=False):
    """Intervals and timeouts in seconds; null is the installation's setting."""

    ipv6: str | None
    routing_group: RoutingGroup
    note: str
    failover_monitoring: bool
    failover_interval: int | None
    failover_receive_timeout: int | None
    failover_retries: int | None


class AggregatorChanges(AggregatorOptions, total=False):
    name: str
    ip: str
    space: Space


@transaction.atomic
def create_aggregator(
    *, by: Actor, name: str, ip: str, space: Space, **values: Unpack[AggregatorOptions]
) -> Aggregator:
    """Make an aggregator; without `routing_group` in the built-in one, if usable there.

    Raises InvalidFields.
    """
    now = timezone.now()
    group = values.get("routing_group") or default_routing_group()
    columns = node_defaults({**values, "name": name, "space": space, "ip": ip})
    columns["routing_group"] = group
    _check(sent=values, after=dict.fromkeys(CHECK_NAMES) | columns, is_new=True)
    aggregator = Aggregator(kind=NodeKind.AGGREGATOR.value, created=now, modified=now)
    with refusing(Aggregator, IP_UNIQUE):
        insert_node(aggregator, columns)
    request_config_update([aggregator], reason="aggregator created")
    shown = Change(after=shown_values(aggregator, ["name", "ip", "space", *values]))
    record(by=by, action="create", row=aggregator, change=shown, now=now, space_id=space.pk)
    return aggregator


@transaction.atomic
def write_aggregator(*, by: Actor, aggregator: Aggregator, changes: AggregatorChanges) -> Change:
    """Change the aggregator's own row. Callers want bonds.services.update_aggregator.

    Raises InvalidFields.
    """
    now = timezone.now()
    sent: dict[str, Any] = dict(changes)
    after = {name: sent.get(name, getattr(aggregator, name)) for name in CHECKED_NAMES}
    _check(sent=sent, after=after, is_new=False)
    if sent.get("failover_monitoring") is False:
        sent["failed"] = False
    with refusing(Aggregator, IP_UNIQUE):
        change = write_node(node=aggregator, changes=sent, now=now)
    if not change:
        return change
    if change.touches(TOLD):
        request_config_update([aggregator], reason="aggregator changed")
    record(
        by=by,
        action="update",
        row=aggregator,
        change=change,
        now=now,
        space_id=aggregator.space_id,
    )
    return change


@transaction.atomic
def delete_aggregator(*, by: Actor, aggregator: Aggregator) -> None:
    """Delete an aggregator that no bond names; it leaves a tombstone. Raises InUse."""
    now = timezone.now()
    row = locked(Aggregator.objects.all(), aggregator.pk)
    change = Change(before=shown_values(row, ["name", "ip", "ipv6", "space", "routing_group"]))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=row.space_id)
    try:
        with transaction.atomic():
            bury(node=row, now=now)
    except ProtectedError:
        raise InUse("The aggregator is primary, secondary or current for a bond.") from None


def _check(*, sent: Collection[str], after: Mapping[str, Any], is_new: bool) -> None:
    wanted = current_settings()
    faults = faults_of_checks(
        sent=sent,
        interval=after["failover_interval"] or wanted.failover_interval,
        timeout=after["failover_receive_timeout"] or wanted.failover_receive_timeout,
    )
    if not set(CHECK_NAMES).intersection(sent):
        faults = {}
    if not is_group_usable_in(group=after["routing_group"], space=after["space"]):
        faults |= _fault_of_group(sent, is_new=is_new)
    if faults:
        raise InvalidFields(faults)


def _fault_of_group(sent: Collection[str], *, is_new: bool) -> dict[str, list[str]]:
    if "routing_group" in sent:
        return {"routing_group": [GROUP_NOT_USABLE]}
    if is_new:
        return {"routing_group": [GROUP_NEEDED]}
    return {"space": [SPACE_NOT_USABLE]}
