"""Numbers that only rise, per name, across restarts and power cuts (behaviour 1.5)."""

from pathlib import Path

from openbond.node import store

# Numbers are taken from blocks that are reserved on disk, so that not every request waits for the
# disk; after a restart the rest of a block is skipped.
BLOCK = 1000


class RisingNumbers:
    """Hands out numbers from 1 on. The file holds the first number nobody may have seen yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reserved = store.read_value(path, dict[str, int]) or {}
        self._next = dict(self._reserved)

    def take(self, name: str) -> int:
        """Return the next number of `name`; it is never returned again.

        Raises OSError when the disk refuses to reserve it.
        """
        number = self._next.get(name, 1)
        if number >= self._reserved.get(name, 0):
            self._reserve(name, number + BLOCK)
        self._next[name] = number + 1
        return number

    def raise_above(self, name: str, number: int) -> None:
        """Continue above a number that the other side has seen."""
        if self._next.get(name, 1) <= number:
            self._reserve(name, number + 1 + BLOCK)
            self._next[name] = number + 1

    def _reserve(self, name: str, mark: int) -> None:
        marks = {**self._reserved, name: mark}
        store.write_value(self._path, marks)
        self._reserved = marks
