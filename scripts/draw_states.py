#!/usr/bin/env python3
"""Draw the leg's state machine into docs/protocol.md from its table of transitions.

    scripts/draw_states.py            rewrite the drawing and the table in the document
    scripts/draw_states.py --print    print them instead

A test compares the document with the table, so a changed row must be drawn again.
"""

import sys
from pathlib import Path

from openbond.tunnel.leg import TRANSITIONS, Inner, Transition, Trouble

DOCUMENT = Path(__file__).parent.parent / "docs" / "protocol.md"
BEGIN = "<!-- states: drawn by scripts/draw_states.py from tunnel/leg.py; do not edit -->"
END = "<!-- states: end -->"


def render() -> str:
    """Return the drawing and the table, as they stand between the two marks."""
    return f"{BEGIN}\n\n{diagram()}\n\n{table()}\n\n{END}"


def diagram() -> str:
    """Return a Mermaid state diagram: one arrow for each pair of states that differ."""
    arrows: dict[tuple[Inner, Inner], list[str]] = {}
    for row in TRANSITIONS:
        if row.state is not row.new:
            arrows.setdefault((row.state, row.new), []).append(row.signal.name)
    lines = [
        f"    {old.name} --> {new.name}: {', '.join(dict.fromkeys(signals))}"
        for (old, new), signals in arrows.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> OFFLINE", *lines, "```"])


def table() -> str:
    """Return the rows; those that differ only in where they come from share a line."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for row in TRANSITIONS:
        lines.setdefault(cells_of(row), []).append(row.state.name)
    rows = [" | ".join([", ".join(states), *cells]) for cells, states in lines.items()]
    head = ["from | signal | if | to | flags | at", "--- | --- | --- | --- | --- | ---"]
    return "\n".join(f"| {line} |" for line in [*head, *rows])


def cells_of(row: Transition) -> tuple[str, ...]:
    return (
        f"{row.signal.name}: {row.signal.value}",
        row.guard.value if row.guard else "-",
        row.new.name if row.new is not row.state else "the same",
        flags_of(row),
        row.at.value if row.at else "both",
    )


def flags_of(row: Transition) -> str:
    changes = [f"+{name}" for name in names_of(row.sets)]
    changes += [f"-{name}" for name in names_of(row.clears)]
    return " ".join(changes) or "-"


def names_of(trouble: Trouble) -> list[str]:
    return [str(flag.name).lower() for flag in Trouble if flag in trouble]


def replaced(text: str) -> str:
    """Return the document with what stands between the marks drawn anew.

    Raises SystemExit when a mark is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT} lacks a mark; put {BEGIN!r} and {END!r} back.")
    return before + render() + after


def main() -> None:
    if "--print" in sys.argv:
        sys.stdout.write(render() + "\n")
        return
    DOCUMENT.write_text(replaced(DOCUMENT.read_text()))


if __name__ == "__main__":
    main()
