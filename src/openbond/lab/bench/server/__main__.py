"""A child process of the measurements: PART fill | PART measure | writers write … (children.py)."""

import importlib
import os
import sys
from pathlib import Path

import django
import msgspec

from openbond.server.project.state import create_secrets

from .children import Line


def main() -> None:
    part, verb, *words = sys.argv[1:]
    create_secrets(Path(os.environ["OPENBOND_STATE_DIR"]))
    django.setup()
    # Only now: models can be imported when Django is awake.
    module = importlib.import_module(f"openbond.lab.bench.server.{part}")
    if verb == "fill":
        module.fill(_say)
    elif verb == "measure":
        for row in module.measure(_say):
            _print(Line(row=row))
    else:
        module.write(*words)


def _say(words: str) -> None:
    _print(Line(say=words))


def _print(line: Line) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
