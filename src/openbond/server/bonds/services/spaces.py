"""Changes a space: what the bonds below it depend on, and which nodes must learn it."""

from typing import Unpack

from django.db import transaction
from django.db.models import Q

from openbond.server.bonds.models import Bond, Leg
from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import Aggregator, Node
from openbond.server.fleet.services import request_config_update
from openbond.server.spaces.models import Space, SpaceClosure
from openbond.server.spaces.services import SpaceChanges, write_space
from openbond.server.system.actors import Actor

from .private_wans import tell_private_wans

IN_USE = "In use."


@transaction.atomic
def update_space(*, by: Actor, space: Space, **changes: Unpack[SpaceChanges]) -> Space:
    """Change a space; its name is part of its nodes' host names.

    Raises InvalidFields, and Forbidden where a code or the parent is out of the caller's reach.
    """
    change = write_space(by=by, space=space, changes=changes)
    switched_off = [name for name in SWITCHES if change.after.get(name) is False]
    faults = {name: [IN_USE] for name in switched_off if SWITCHES[name](space)}
    if faults:
        raise InvalidFields(faults)
    if change.touches({"name"}):
        nodes = Node.objects.filter(space=space).values_list("pk", flat=True)
        request_config_update(nodes, reason="name of the space changed")
    if change.touches({"private_wan_enabled"}):
        ends = Bond.objects.filter(space=space).values_list("bonder_id", "current_aggregator_id")
        nodes_of_bonds = {node_id for pair in ends for node_id in pair}
        reason = "private WAN of the space changed"
        request_config_update(nodes_of_bonds, reason=reason)
        tell_private_wans([space.pk], reason=reason, told=nodes_of_bonds)
    return space


def _uses_aggregators_above(space: Space) -> bool:
    below, above = _tree(space)
    named = (
        Q(aggregator__space__in=above)
        | Q(secondary_aggregator__space__in=above)
        | Q(current_aggregator__space__in=above)
    )
    if Bond.objects.filter(named, space__in=below).exists():
        return True
    grouped = Aggregator.objects.filter(space__in=below, routing_group__space__in=above)
    return grouped.exists()


def _uses_qos_profiles_above(space: Space) -> bool:
    below, above = _tree(space)
    return Bond.objects.filter(space__in=below, qos_profile__space__in=above).exists()


def _uses_mobile_profiles_above(space: Space) -> bool:
    below, above = _tree(space)
    legs = Leg.objects.filter(space__in=below, provider_profile__space__in=above)
    return legs.exists()


def _tree(space: Space) -> tuple[list[int], list[int]]:
    """Return the ids of the space with all below it, and of all above it."""
    below = SpaceClosure.objects.filter(ancestor=space).values_list("descendant_id", flat=True)
    above = SpaceClosure.objects.filter(descendant=space, depth__gt=0)
    return list(below), list(above.values_list("ancestor_id", flat=True))


SWITCHES = {
    "use_parent_aggregators": _uses_aggregators_above,
    "use_parent_qos_profiles": _uses_qos_profiles_above,
    "use_parent_mobile_provider_profiles": _uses_mobile_profiles_above,
}
