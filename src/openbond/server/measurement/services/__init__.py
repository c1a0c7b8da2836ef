"""Writes to histories, speed tests and tunings. `by` is who writes."""

from .alarms import watch_alarms
from .limits import set_measuring_limits
from .maintenance import begin_maintenance, end_maintenance
from .prevented import fix_prevented_downtime
from .speed_tests import cancel_speed_test, create_speed_test
from .states import forget_changes, record_records, record_states
from .test_ends import take_test_ended, take_test_progress, take_test_ready
from .test_turns import move_speed_tests
from .tuning_runs import move_tunings
from .tunings import (
    accept_tuning,
    cancel_tuning,
    create_tuning,
    decline_tuning,
    tune_on_first_contact,
)

__all__ = [
    "accept_tuning",
    "begin_maintenance",
    "cancel_speed_test",
    "cancel_tuning",
    "create_speed_test",
    "create_tuning",
    "decline_tuning",
    "end_maintenance",
    "fix_prevented_downtime",
    "forget_changes",
    "move_speed_tests",
    "move_tunings",
    "record_records",
    "record_states",
    "set_measuring_limits",
    "take_test_ended",
    "take_test_progress",
    "take_test_ready",
    "tune_on_first_contact",
    "watch_alarms",
]
