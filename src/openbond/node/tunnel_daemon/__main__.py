"""`python -m openbond.node.tunnel_daemon`: what the supervisor starts.

The same as `openbond node tunnel`, without the imports of the other commands: a daemon must be back
within a second, and there is one per bond.
"""

import argparse
import sys
from pathlib import Path

from openbond.node.errors import NodeError

from .daemon import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="openbond.node.tunnel_daemon", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--bond", type=int, required=True)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--bundle", action="store_true")
    chosen = parser.parse_args()
    try:
        bundles = chosen.bundle or not chosen.plain
        run(chosen.root.absolute(), chosen.bond, plain=chosen.plain, bundles=bundles)
    except NodeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
