"""Columns that forms and the API show under another name and in another unit."""

from collections.abc import Callable
from typing import Any

Unit = Callable[[Any], object]
# Column → the field, and its value of the column's.
FIELDS: dict[str, tuple[str, Unit]] = {
    "packet_loss_threshold_permille": ("packet_loss_threshold", lambda value: value / 10),
    "overhead_margin_permille": ("overhead_margin", lambda value: value / 10),
    "down_kbps": ("down_speed", lambda value: value / 1000),
    "up_kbps": ("up_speed", lambda value: value / 1000),
    "prefix": ("netmask", str),
}
COLUMNS = {field: (column, unit) for column, (field, unit) in FIELDS.items()}


def same(value: Any) -> object:
    return value


def number(value: object) -> str:
    """Return a value as it stands in an input, without a point where it is whole."""
    return f"{value:g}" if isinstance(value, float) else str(value)
