"""Histories of legs, speed tests and tunings."""

from .states import LegChange, LegWatch
from .tests import Direction, Protocol, SpeedTest, TestStatus, Tuning, TuningDecision, TuningStatus

__all__ = [
    "Direction",
    "LegChange",
    "LegWatch",
    "Protocol",
    "SpeedTest",
    "TestStatus",
    "Tuning",
    "TuningDecision",
    "TuningStatus",
]
