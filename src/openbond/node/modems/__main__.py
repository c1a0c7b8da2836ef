"""`python -m openbond.node.modems --root DIR`, started by the supervisor."""

import argparse
import asyncio
from pathlib import Path

from openbond.node.logs import configure_logs
from openbond.node.paths import Paths

from .client import ModemClient


def main() -> None:
    arguments = argparse.ArgumentParser(prog="openbond-modems")
    arguments.add_argument("--root", type=Path, required=True)
    found = arguments.parse_args()
    configure_logs()
    asyncio.run(ModemClient(Paths(found.root)).run())


main()
