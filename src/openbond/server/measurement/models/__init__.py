"""Histories of legs, speed tests and tunings."""

from .alarms import Alarm
from .limits import MeasuringLimits
from .prevented import FixedFigure, FixedPeriod
from .states import LegChange, LegWatch
from .tests import (
    Direction,
    Protocol,
    SpeedTest,
    StoppedBy,
    TestStatus,
    Tuning,
    TuningDecision,
    TuningStatus,
)

__all__ = [
    "Alarm",
    "Direction",
    "FixedFigure",
    "FixedPeriod",
    "LegChange",
    "LegWatch",
    "MeasuringLimits",
    "Protocol",
    "SpeedTest",
    "StoppedBy",
    "TestStatus",
    "Tuning",
    "TuningDecision",
    "TuningStatus",
]
