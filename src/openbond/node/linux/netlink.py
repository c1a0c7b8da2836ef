"""One netlink conversation, and what the kernel's refusals mean in words."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from openbond.node.errors import NodeError, NotPrivileged

WORDS = {
    errno.EEXIST: "it exists already, made by another program",
    errno.ENETUNREACH: "its gateway is not reachable from the interface's own network",
    errno.ENETDOWN: "its interface is down",
    errno.ENODEV: "its interface is gone",
    errno.EADDRNOTAVAIL: "the address is not on the interface",
    errno.ESRCH: "it is gone already",
    errno.ENOENT: "it is gone already",
}
GONE = (errno.ESRCH, errno.ENOENT, errno.EADDRNOTAVAIL, errno.ENODEV)


class Refused(NodeError):
    """The kernel refused one step."""


class NotNow(NodeError):
    """A step that this machine cannot do as it is: a warning, tried again (§1.8, step 3)."""


class Message(Protocol):
    """One object in a netlink answer: fixed fields by [], the others by get_attr."""

    def __getitem__(self, field: str, /) -> Any: ...

    def get_attr(self, name: str, /) -> Any: ...


class Kernel(Protocol):
    """What we use of pyroute2, which carries no types of its own."""

    def get_links(self) -> Iterable[Message]: ...

    def get_addr(self) -> Iterable[Message]: ...

    def get_routes(self, *, family: int) -> Iterable[Message]: ...

    def get_rules(self, *, family: int) -> Iterable[Message]: ...

    def link_lookup(self, *, ifname: str) -> list[int]: ...

    def fdb(self, command: str, /, **arguments: object) -> Iterable[Message]: ...

    def link(self, command: str, /, **arguments: object) -> object: ...

    def addr(self, command: str, /, **arguments: object) -> object: ...

    def route(self, command: str, /, **arguments: object) -> object: ...

    def rule(self, command: str, /, **arguments: object) -> object: ...


@contextmanager
def conversation() -> Iterator[Kernel]:
    """Open a netlink socket for one observation or one apply."""
    # IPRoute makes its methods at run time, so only the name of the protocol can be checked.
    open_socket: Callable[[], Any] = IPRoute
    with open_socket() as kernel:
        yield kernel


@contextmanager
def explained(*, gone_is_fine: bool = False) -> Iterator[None]:
    """Turn the kernel's error numbers into sentences.

    Raises NotPrivileged, Refused.
    """
    try:
        yield
    except NetlinkError as error:
        if gone_is_fine and error.code in GONE:
            return
        if error.code == errno.EPERM:
            raise NotPrivileged(
                "The kernel refuses changes to the network: run the agent as root, or give it "
                "CAP_NET_ADMIN."
            ) from error
        raise Refused(WORDS.get(error.code, str(error))) from error
