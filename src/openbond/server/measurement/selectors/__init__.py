"""Reads of histories, speed tests and tunings."""

from .states import state_history
from .tests import (
    bond_tunings_visible_to,
    leg_tunings_visible_to,
    speed_test_statistics,
    speed_tests_visible_to,
    tests_of_tunings,
)

__all__ = [
    "bond_tunings_visible_to",
    "leg_tunings_visible_to",
    "speed_test_statistics",
    "speed_tests_visible_to",
    "state_history",
    "tests_of_tunings",
]
