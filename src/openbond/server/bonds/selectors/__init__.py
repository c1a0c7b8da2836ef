"""Reads of bonds and what belongs to them, from who asks."""

from .bonds import (
    bonds_in_reach,
    bonds_visible_to,
    legs_visible_to,
    mobile_provider_profiles_visible_to,
    with_rates,
)
from .parts import Parts, aggregators_with_counts, parts_of_bonds, with_observations
from .routing import (
    connected_ips_visible_to,
    connected_networks,
    cpe_nat_ips_visible_to,
    routes_visible_to,
)
from .shown import with_shown
from .states import leg_states, with_states, with_status, would_end_service

__all__ = [
    "Parts",
    "aggregators_with_counts",
    "bonds_in_reach",
    "bonds_visible_to",
    "connected_ips_visible_to",
    "connected_networks",
    "cpe_nat_ips_visible_to",
    "leg_states",
    "legs_visible_to",
    "mobile_provider_profiles_visible_to",
    "parts_of_bonds",
    "routes_visible_to",
    "with_observations",
    "with_rates",
    "with_shown",
    "with_states",
    "with_status",
    "would_end_service",
]
