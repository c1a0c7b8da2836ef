"""Make a router forget its address translations, as one that restarts. Run inside its namespace:

python -m openbond.lab.forget_nat
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket


class Connections(Protocol):
    """What we use of pyroute2, which carries no types of its own."""

    def flush(self) -> object: ...


def main() -> None:
    open_socket: Callable[[], AbstractContextManager[Connections]] = NFCTSocket
    with open_socket() as connections:
        connections.flush()


if __name__ == "__main__":
    main()
