"""Writes to histories, speed tests and tunings. `by` is who writes."""

from .alarms import watch_alarms
from .maintenance import begin_maintenance, end_maintenance
from .speed_tests import create_speed_test
from .states import forget_changes, record_records, record_states
from .tunings import accept_tuning, cancel_tuning, create_tuning, decline_tuning

__all__ = [
    "accept_tuning",
    "begin_maintenance",
    "cancel_tuning",
    "create_speed_test",
    "create_tuning",
    "decline_tuning",
    "end_maintenance",
    "forget_changes",
    "record_records",
    "record_states",
    "watch_alarms",
]
