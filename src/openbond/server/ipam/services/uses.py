"""The index of what routing objects occupy; written with the objects, by the room of bonds."""

from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import RoutingGroup
from openbond.server.ipam.models import NetworkUse
from openbond.server.ipam.selectors import fault_of_use, has_conflict
from openbond.server.system.addresses import Network
from openbond.server.system.constraints import refusing

CONFLICT = "An enabled object uses this public address or network already."
ADDRESS_ONCE = {"network_use_public_address_enabled_once": ("enabled", CONFLICT)}


def check_allocation(
    *, field: str, network: Network, space_id: int, groups: list[RoutingGroup]
) -> None:
    """Raises InvalidFields on `field` if the space may not use a public IPv4 network there (R1)."""
    fault = fault_of_use(network=network, space_id=space_id, groups=groups)
    if fault:
        raise InvalidFields.one(field, fault)


def check_conflict(*, use: NetworkUse) -> None:
    """Raises InvalidFields on `enabled` (R3). Hold Lock.ADDRESSES."""
    if not (use.is_enabled and use.is_public):
        return
    if has_conflict(use):
        raise InvalidFields.one("enabled", CONFLICT)


def note_use(*, use: NetworkUse) -> None:
    """Store what a routing object occupies. Raises InvalidFields if a race was lost."""
    stored = NetworkUse.objects.filter(kind=use.kind, object_id=use.object_id).first()
    use.pk = stored.pk if stored else None
    with refusing(NetworkUse, ADDRESS_ONCE):
        use.save()


def forget_use(*, kind: str, object_id: int) -> None:
    """Forget what a deleted routing object occupied."""
    NetworkUse.objects.filter(kind=kind, object_id=object_id).delete()


def forget_bond(*, bond_id: int) -> None:
    """Forget what the routing objects of a deleted bond occupied."""
    NetworkUse.objects.filter(bond_id=bond_id).delete()
