"""docs/acceptance.md names tests that exist, and leaves out no item that it answers for."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "acceptance.md").read_text()
ITEMS = [*range(1, 42), 46, 57, 58, *range(64, 69), 70]


def test_every_test_named_in_the_table_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    sources = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))

    assert named
    assert named <= there, sorted(named - there)


def test_every_item_has_its_row() -> None:
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", TABLE, re.M)] == ITEMS
