"""How many objects spaces have of their own (api-v3 07-people-spaces 4)."""

from collections.abc import Sequence

from django.db.models import Model, QuerySet

from openbond.server.bonds.models import Bond, MobileProviderProfile
from openbond.server.fleet.models import Aggregator, RoutingGroup
from openbond.server.ipam.models import IPAllocation
from openbond.server.qos.models import QosProfile
from openbond.server.spaces.models import Space, User
from openbond.server.spaces.roll_ups import count_by_space

KINDS: dict[str, tuple[type[Model], str]] = {
    "bonds": (Bond, "space"),
    "aggregators": (Aggregator, "space"),
    "users": (User, "space"),
    "spaces": (Space, "parent"),
    "routing_groups": (RoutingGroup, "space"),
    "ip_allocations": (IPAllocation, "space"),
    "qos_profiles": (QosProfile, "space"),
    "mobile_provider_profiles": (MobileProviderProfile, "space"),
}


def related_object_counts(space_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return the counts of each space by kind; the same eight queries for any number of spaces."""
    found = {
        kind: count_by_space(_rows(model), space_ids, path) for kind, (model, path) in KINDS.items()
    }
    return {
        space_id: {kind: counts.get(space_id, 0) for kind, counts in found.items()}
        for space_id in space_ids
    }


def _rows(model: type[Model]) -> QuerySet[Model]:
    return model._default_manager.all()
