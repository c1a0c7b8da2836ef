"""Reads of bonds and what belongs to them, from who asks."""

from .bonds import (
    bonds_in_reach,
    bonds_visible_to,
    legs_visible_to,
    mobile_provider_profiles_visible_to,
    rate_of_bond,
    with_rates,
)
from .parts import Parts, bond_count, bond_counts, parts_of_bonds
from .related import related_object_counts
from .routing import (
    connected_ips_visible_to,
    connected_networks,
    cpe_nat_ips_visible_to,
    routes_visible_to,
)
from .shown import shown_column, shown_mtu
from .states import (
    leg_states,
    state_of_end,
    state_of_leg,
    status_of_bond,
    with_states,
    with_status,
    would_end_service,
)
from .statistics import bond_statistics, leg_statistics

__all__ = [
    "Parts",
    "bond_count",
    "bond_counts",
    "bond_statistics",
    "bonds_in_reach",
    "bonds_visible_to",
    "connected_ips_visible_to",
    "connected_networks",
    "cpe_nat_ips_visible_to",
    "leg_states",
    "leg_statistics",
    "legs_visible_to",
    "mobile_provider_profiles_visible_to",
    "parts_of_bonds",
    "rate_of_bond",
    "related_object_counts",
    "routes_visible_to",
    "shown_column",
    "shown_mtu",
    "state_of_end",
    "state_of_leg",
    "status_of_bond",
    "with_rates",
    "with_states",
    "with_status",
    "would_end_service",
]
