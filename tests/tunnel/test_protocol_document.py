"""docs/protocol.md says what the code does: the states, the timers, the messages."""

import ast
import importlib
import re
import runpy
from pathlib import Path

import pytest

from openbond.tunnel.messages import Type

HERE = Path(__file__).parent.parent.parent
DOCUMENT = HERE / "docs" / "protocol.md"
TIMER = re.compile(r"^\| [^|]+ \| `(\w+)\.(\w+)` \| ([^|]+) \|", re.MULTILINE)
TEXT = DOCUMENT.read_text()


def test_the_states_are_drawn_from_the_table() -> None:
    drawing = runpy.run_path(str(HERE / "scripts" / "draw_states.py"))

    assert drawing["render"]() in TEXT, "run scripts/draw_states.py"


@pytest.mark.parametrize(
    ("module", "name", "value"), TIMER.findall(TEXT), ids=lambda value: str(value)
)
def test_a_timer_has_the_value_of_the_document(module: str, name: str, value: str) -> None:
    constants = vars(importlib.import_module(f"openbond.tunnel.{module}"))

    assert constants[name] == ast.literal_eval(value.strip())


def test_the_document_has_timers_to_compare() -> None:
    assert len(TIMER.findall(TEXT)) > 30


@pytest.mark.parametrize("kind", list(Type), ids=lambda kind: str(kind.name))
def test_each_message_stands_in_the_document(kind: Type) -> None:
    assert f"| {kind.value} | {kind.name} |" in TEXT
