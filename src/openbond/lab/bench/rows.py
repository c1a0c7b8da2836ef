"""What every measurement returns: rows of a table, each a value and the bar that it must keep."""

from collections.abc import Callable

from msgspec import Struct

Say = Callable[[str], None]


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table. `value` in `unit`; the bar is kept when it is not below `least`, or
    not above `most`. `figures`: what the value was made of, for programs.
    """

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    detail: str = ""
    figures: dict[str, float] = {}

    @property
    def is_kept(self) -> bool:
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)
