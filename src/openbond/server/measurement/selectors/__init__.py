"""Reads of histories, speed tests and tunings."""

from .orders import orders_of, told_to_nodes
from .outages import PreventedIn, downtime_prevented
from .states import state_histories, state_history
from .tests import (
    bond_tunings_visible_to,
    leg_tunings_visible_to,
    leg_types,
    speed_test_statistics,
    speed_tests_visible_to,
    tests_of_tunings,
)

__all__ = [
    "PreventedIn",
    "bond_tunings_visible_to",
    "downtime_prevented",
    "leg_tunings_visible_to",
    "leg_types",
    "orders_of",
    "speed_test_statistics",
    "speed_tests_visible_to",
    "state_histories",
    "state_history",
    "tests_of_tunings",
    "told_to_nodes",
]
