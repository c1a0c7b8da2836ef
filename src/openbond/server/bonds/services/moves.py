"""Moves a bond to another space: the public networks go along, down the tree (rule 7)."""

from datetime import datetime
from ipaddress import IPv4Network

from openbond.server.bonds.models import Bond
from openbond.server.errors import InvalidFields
from openbond.server.ipam.models import NetworkUse
from openbond.server.ipam.services import delegate_down
from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import is_descendant, path_below
from openbond.server.system.actors import Actor

HAS_PUBLIC = "Disable the bond's public addresses first, or choose a space below the present one."


def prepare_move(*, bond: Bond, space: Space, by: Actor, now: datetime) -> None:
    """Make way for a bond in another space: delegations downwards, none elsewhere.

    Hold Lock.ADDRESSES. Raises InvalidFields on `space`.
    """
    uses = NetworkUse.objects.filter(bond_id=bond.pk)
    if is_descendant(below=space, above=bond.space):
        _take_networks_along(bond, space, by=by, now=now)
    elif uses.filter(is_enabled=True, is_public=True).exists():
        raise InvalidFields.one("space", HAS_PUBLIC)
    uses.update(space=space)
    bond.legs.update(space=space)


def _take_networks_along(bond: Bond, space: Space, *, by: Actor, now: datetime) -> None:
    public = NetworkUse.objects.filter(bond_id=bond.pk, is_public=True)
    networks = {IPv4Network(use.network) for use in public if "." in use.network}
    spaces = [bond.space, *path_below(above=bond.space, below=space)]
    # The widest first: what lies inside one that went along needs no delegation of its own.
    for network in sorted(networks, key=lambda one: (one.prefixlen, one)):
        fault = delegate_down(
            network=network, spaces=spaces, moving_bond_id=bond.pk, by=by, now=now
        )
        if fault:
            raise InvalidFields.one("space", fault)
