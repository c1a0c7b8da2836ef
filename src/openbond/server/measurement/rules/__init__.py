"""Arithmetic of what is measured. No database, no clock."""

from .states import (
    HISTORY,
    PRECEDENCE,
    Change,
    Interval,
    Source,
    changes_to_record,
    combined,
    fresh,
    history,
)

__all__ = [
    "HISTORY",
    "PRECEDENCE",
    "Change",
    "Interval",
    "Source",
    "changes_to_record",
    "combined",
    "fresh",
    "history",
]
