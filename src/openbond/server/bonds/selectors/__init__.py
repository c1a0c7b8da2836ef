"""Reads of bonds and what belongs to them, from who asks."""

from .bonds import (
    bonds_in_reach,
    bonds_visible_to,
    legs_visible_to,
    mobile_provider_profiles_visible_to,
    rate_of_bond,
    with_rates,
)
from .parts import (
    bond_count,
    bond_counts,
    bonds_by_id,
    connected_ips_of_bonds,
    cpe_nat_ips_of_bonds,
    legs_of_bonds,
    routes_of_bonds,
)
from .related import related_object_counts
from .routing import (
    connected_edges,
    connected_edges_of,
    connected_ips_visible_to,
    connected_networks,
    cpe_nat_ips_visible_to,
    routes_visible_to,
)
from .shown import shown_column, shown_mtu
from .states import (
    fresh_states,
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
    "bond_count",
    "bond_counts",
    "bond_statistics",
    "bonds_by_id",
    "bonds_in_reach",
    "bonds_visible_to",
    "connected_edges",
    "connected_edges_of",
    "connected_ips_of_bonds",
    "connected_ips_visible_to",
    "connected_networks",
    "cpe_nat_ips_of_bonds",
    "cpe_nat_ips_visible_to",
    "fresh_states",
    "leg_states",
    "leg_statistics",
    "legs_of_bonds",
    "legs_visible_to",
    "mobile_provider_profiles_visible_to",
    "rate_of_bond",
    "related_object_counts",
    "routes_of_bonds",
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
