"""A child process that makes a simulated fleet: STATE NODES ROSTER (run.py)."""

import importlib
import os
import sys
from pathlib import Path

import django

from openbond.lab.errors import LabError


def main() -> None:
    state, nodes, roster = sys.argv[1:]
    os.environ["DJANGO_SETTINGS_MODULE"] = "openbond.server.project.settings"
    django.setup()
    # Only now: models can be imported when Django is awake.
    module = importlib.import_module("openbond.lab.simulated.prepare")
    try:
        module.prepare(Path(state), nodes=int(nodes), roster=Path(roster))
    except LabError as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
