"""Writes to routes (api-v3 04-routing 4)."""

from copy import copy
from typing import TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond, Route
from openbond.server.bonds.rules.routing import faults_of_route
from openbond.server.errors import InvalidFields
from openbond.server.system.actors import Actor
from openbond.server.system.locks import Lock, locked, take

from .routing import connected_of, delete_object, insert_object, write_object
from .rows import lock_bond

WHERE = frozenset({"network", "gateway", "interface"})


class RouteOptions(TypedDict, total=False):
    interface: str
    enabled: bool
    include_private_wan: bool
    agg_routing: str
    note: str


class RouteChanges(RouteOptions, total=False):
    network: str
    gateway: str


@transaction.atomic
def create_route(
    *, by: Actor, bond: Bond, network: str, gateway: str, **options: Unpack[RouteOptions]
) -> Route:
    """Make a route; `network` is CIDR without host bits. Raises InvalidFields."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(bond.pk)
    row = Route(bond=owner, network=network, gateway=gateway, created=now, modified=now, **options)
    _check(row, owner, is_asked=True)
    insert_object(by=by, row=row, bond=owner, now=now)
    return row


@transaction.atomic
def update_route(*, by: Actor, route: Route, **changes: Unpack[RouteChanges]) -> Route:
    """Change a route; disabling never fails. Raises InvalidFields."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(route.bond_id)
    row = locked(Route.objects.all(), route.pk)
    after = copy(row)
    for name, value in changes.items():
        setattr(after, name, value)
    _check(after, owner, is_asked=any(getattr(row, n) != getattr(after, n) for n in WHERE))
    write_object(by=by, row=row, after=after, values=dict(changes), bond=owner, now=now)
    return row


@transaction.atomic
def delete_route(*, by: Actor, route: Route) -> None:
    """Delete a route, enabled or not."""
    now = timezone.now()
    owner = lock_bond(route.bond_id)
    row = locked(Route.objects.all(), route.pk)
    delete_object(by=by, row=row, bond=owner, now=now)


def _check(row: Route, bond: Bond, *, is_asked: bool) -> None:
    if not is_asked:
        return
    faults = faults_of_route(
        network=row.network,
        gateway=row.gateway,
        interface=row.interface,
        connected_ips=connected_of(bond),
    )
    if faults:
        raise InvalidFields(faults)
