"""`python -m openbond.node.pppoe --root DIR --leg ID`, started by the supervisor."""

import argparse
import asyncio
from pathlib import Path

from openbond.node.logs import configure_logs
from openbond.node.paths import Paths

from .dialer import Dialer


def main() -> None:
    arguments = argparse.ArgumentParser(prog="openbond-pppoe")
    arguments.add_argument("--root", type=Path, required=True)
    arguments.add_argument("--leg", type=int, required=True)
    found = arguments.parse_args()
    configure_logs()
    asyncio.run(Dialer(Paths(found.root), found.leg).run())


main()
