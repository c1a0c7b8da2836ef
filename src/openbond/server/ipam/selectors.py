"""Reads of allocations and of what occupies them."""

from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network

from django.db.models import (
    Case,
    CharField,
    Count,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from openbond.server.errors import Vanished
from openbond.server.fleet.models import RoutingGroup
from openbond.server.fleet.selectors import display_name_of_group, routing_groups_visible_to
from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import RollUp, counted
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.addresses import (
    Network,
    enclosing_keys,
    free_parts,
    is_private,
    network_edges,
    overlap,
)

from .models import AssignedRoutingGroup, IPAllocation, NetworkUse, UseKind

HELD_NOWHERE = "{network} does not lie inside a network that the space holds."
DELEGATED = "{network} overlaps a part that was delegated to a child space."
NOT_VALID = "{held} is not valid at the routing group {group!r}."


def ip_allocations_visible_to(viewer: Viewer) -> QuerySet[IPAllocation]:
    """Allocations and delegations of all spaces in reach."""
    rows = IPAllocation.objects.filter(viewer.in_reach())
    return rows.select_related("space", "parent")


def routing_groups_with_counts(viewer: Viewer) -> QuerySet[RoutingGroup]:
    """Routing groups that the viewer sees, with `display_name`, `aggregator_count` and
    `ip_allocation_count`: allocations valid there, within reach."""
    found = (
        IPAllocation.objects.filter(viewer.in_reach(), assignments__routing_group=OuterRef("pk"))
        .order_by()
        .values("assignments__routing_group")
        .annotate(found=Count("pk"))
        .values("found")
    )
    return routing_groups_visible_to(viewer).annotate(
        display_name=display_name_of_group(),
        ip_allocation_count=Coalesce(Subquery(found), 0),
    )


def type_of_allocation() -> Case:
    """Return the expression of a holding's type: allocation or delegation."""
    return Case(
        When(parent__isnull=True, then=Value("allocation")),
        default=Value("delegation"),
        output_field=CharField(),
    )


def is_of_type(word: str) -> Q:
    """Return the condition that a holding is an `allocation` or a `delegation`."""
    return Q(parent__isnull=word == "allocation")


def groups_by_allocation(viewer: Viewer, holdings: Sequence[IPAllocation]) -> dict[int, list[int]]:
    """Return, by the id of an allocation, the ids of the groups that the viewer sees and where it
    is valid. Delegations have those of the allocation they stem from."""
    owners = {row.origin_id or row.pk for row in holdings}
    rows = AssignedRoutingGroup.objects.filter(
        allocation__in=owners,
        routing_group__in=routing_groups_visible_to(viewer).order_by().values("pk"),
    )
    groups: dict[int, list[int]] = {}
    for owner_id, group_id in rows.order_by("routing_group").values_list(
        "allocation_id", "routing_group_id"
    ):
        groups.setdefault(owner_id, []).append(group_id)
    return groups


def groups_visible_of(viewer: Viewer, allocation: IPAllocation) -> QuerySet[RoutingGroup]:
    """Return the groups that the viewer sees and where a holding is valid; `display_name` too."""
    valid = groups_of(allocation).order_by().values("pk")
    rows = routing_groups_visible_to(viewer).filter(pk__in=valid)
    return rows.annotate(display_name=display_name_of_group())


def assignment_of(allocation: IPAllocation, group: RoutingGroup) -> AssignedRoutingGroup:
    """Return the row that makes an allocation valid at a group. Raises Vanished."""
    row = AssignedRoutingGroup.objects.filter(allocation=allocation, routing_group=group).first()
    if row is None:
        raise Vanished
    return row


def uses_inside(network: Network) -> QuerySet[NetworkUse]:
    """Routing objects, enabled or not, whose network shares an address with `network`."""
    return NetworkUse.objects.filter(overlapping(network))


def overlapping(network: Network) -> Q:
    """Return the condition that a row's range shares an address with `network`."""
    first, last = network_edges(network)
    return Q(first__gte=first, first__lte=last) | containing(network)


def containing(network: Network) -> Q:
    """Return the condition that a row's range holds every address of `network`."""
    return Q(first__in=enclosing_keys(network), last__gte=network_edges(network)[1])


def holding_of(*, space_id: int, network: Network) -> IPAllocation | None:
    """Return the allocation or delegation of a space that contains `network`, or None."""
    rows = IPAllocation.objects.filter(containing(network), space_id=space_id)
    return rows.select_related("space").first()


def is_held(*, space_id: int, network: Network) -> bool:
    """Report whether a space may use `network`: it holds it and has not given it on."""
    held = holding_of(space_id=space_id, network=network)
    return held is not None and not held.delegations.filter(overlapping(network)).exists()


def fault_of_use(*, network: Network, space_id: int, groups: list[RoutingGroup]) -> str:
    """Return why a space may not use a public network at these groups (R1), or nothing."""
    held = holding_of(space_id=space_id, network=network)
    if held is None:
        return HELD_NOWHERE.format(network=network)
    if held.delegations.filter(overlapping(network)).exists():
        return DELEGATED.format(network=network)
    valid = set(groups_of(held).values_list("pk", flat=True))
    wrong = [group for group in groups if group.pk not in valid]
    return NOT_VALID.format(held=held.network, group=wrong[0].name) if wrong else ""


def available_parts(allocations: Sequence[IPAllocation]) -> dict[int, list[str]]:
    """Return, by id, the CIDRs neither delegated nor used; two queries for any number of rows."""
    taken: dict[int, list[Network]] = {row.pk: [] for row in allocations}
    cut = IPAllocation.objects.filter(parent__in=taken).values_list("parent_id", "network")
    for parent_id, network in cut:
        taken[parent_id].append(ip_network(network))
    for row, used in _used_in(allocations):
        taken[row.pk].append(used)
    return {
        row.pk: [str(part) for part in free_parts(ip_network(row.network), taken[row.pk])]
        for row in allocations
    }


def holders_of(allocation: IPAllocation) -> QuerySet[Space]:
    """Return the spaces that hold an allocation or a delegation stemming from it."""
    stemming = Q(ip_allocations=allocation) | Q(ip_allocations__origin=allocation)
    return Space.objects.filter(stemming).distinct()


def groups_of(allocation: IPAllocation) -> QuerySet[RoutingGroup]:
    """Return where an allocation is valid; a delegation has the groups it stems from."""
    owner_id = allocation.origin_id or allocation.pk
    return RoutingGroup.objects.filter(assignments__allocation_id=owner_id).order_by("id")


def has_conflict(use: NetworkUse) -> bool:
    """Report whether an enabled use on another bond, or of the same address, is in the way (R3)."""
    others = NetworkUse.objects.filter(is_enabled=True, is_public=True).exclude(
        kind=use.kind, object_id=use.object_id
    )
    if use.address and others.filter(address=use.address).exists():
        return True
    if not use.is_routed:
        return False
    elsewhere = others.filter(is_routed=True).exclude(bond_id=use.bond_id)
    return elsewhere.filter(overlapping(ip_network(use.network))).exists()


def _used_in(allocations: Sequence[IPAllocation]) -> list[tuple[IPAllocation, IPv4Network]]:
    uses = NetworkUse.objects.filter(space_id__in={row.space_id for row in allocations})
    if not any(is_private(ip_network(row.network)) for row in allocations):
        uses = uses.filter(is_public=True)
    by_space: dict[int, list[IPv4Network]] = {}
    for space_id, text in uses.values_list("space_id", "network"):
        if ":" not in text:
            by_space.setdefault(space_id, []).append(IPv4Network(text))
    return [
        (row, used)
        for row in allocations
        for used in by_space.get(row.space_id, [])
        if overlap(used, IPv4Network(row.network))
    ]


def use_statistics(space: Space, kind: UseKind) -> RollUp:
    """Return `count` and `enabled` of the routing objects of one kind, in a space and below."""
    return counted(space, f"use.{kind.value}", keys={"enabled": "1"})
