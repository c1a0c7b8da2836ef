"""Writes to bonds and what belongs to them. `by` is who writes: a Viewer, or the server.

Changes to aggregators, bonders, QoS profiles and spaces are here too, because the bonds decide
whether they are allowed and which nodes must learn them.
"""

from .actions import (
    detect_leg_mtus,
    detect_mtus,
    move_bond,
    renew_lease,
    restart_bond,
    restore_to_primary,
)
from .aggregators import update_aggregator
from .bonders import update_bonder
from .bonds import BondChanges, BondOptions, create_bond, delete_bond, update_bond
from .connected_ips import (
    ConnectedIPChanges,
    ConnectedIPOptions,
    create_connected_ip,
    delete_connected_ip,
    update_connected_ip,
)
from .cpe_nat_ips import (
    CpeNatIPChanges,
    CpeNatIPOptions,
    create_cpe_nat_ip,
    delete_cpe_nat_ip,
    update_cpe_nat_ip,
)
from .failover import evaluate_moves, take_check
from .failover_words import Check
from .legs import LegChanges, LegOptions, create_leg, delete_leg, update_leg
from .mobile_profiles import (
    MobileProviderProfileChanges,
    MobileProviderProfileOptions,
    create_mobile_provider_profile,
    delete_mobile_provider_profile,
    update_mobile_provider_profile,
)
from .qos_profiles import replace_qos_parts, update_qos_profile
from .routes import RouteChanges, RouteOptions, create_route, delete_route, update_route
from .spaces import update_space

__all__ = [
    "BondChanges",
    "BondOptions",
    "Check",
    "ConnectedIPChanges",
    "ConnectedIPOptions",
    "CpeNatIPChanges",
    "CpeNatIPOptions",
    "LegChanges",
    "LegOptions",
    "MobileProviderProfileChanges",
    "MobileProviderProfileOptions",
    "RouteChanges",
    "RouteOptions",
    "create_bond",
    "create_connected_ip",
    "create_cpe_nat_ip",
    "create_leg",
    "create_mobile_provider_profile",
    "create_route",
    "delete_bond",
    "delete_connected_ip",
    "delete_cpe_nat_ip",
    "delete_leg",
    "delete_mobile_provider_profile",
    "delete_route",
    "detect_leg_mtus",
    "detect_mtus",
    "evaluate_moves",
    "move_bond",
    "renew_lease",
    "replace_qos_parts",
    "restart_bond",
    "restore_to_primary",
    "take_check",
    "update_aggregator",
    "update_bond",
    "update_bonder",
    "update_connected_ip",
    "update_cpe_nat_ip",
    "update_leg",
    "update_mobile_provider_profile",
    "update_qos_profile",
    "update_route",
    "update_space",
]
