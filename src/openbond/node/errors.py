"""What a node refuses or cannot do, each a sentence that says what and what to do.

NodeError                 exit code 1
├── ServerUnreachable     3   nothing answers at the server's address
├── NodeKeyRefused        4   the server does not take this node key
├── ServerNotTrusted      5   its certificate comes from another authority
├── ClockWrong            6   this node's clock and the server's differ too much
├── SchemaUnknown         7   a config of a newer version than this software
├── NoTunDevice           8   the machine has no /dev/net/tun
├── NotPrivileged         9   CAP_NET_ADMIN is missing
├── AlreadyRunning       10   the same program runs on this root
├── NotEnrolled          11   no certificate or no server address yet
└── ServerRefused        12   the server answered with an error of its own
"""


class NodeError(Exception):
    """Something an operator can mend; the text is one sentence with the remedy."""

    exit_code = 1


class ServerUnreachable(NodeError):
    exit_code = 3


class NodeKeyRefused(NodeError):
    exit_code = 4


class ServerNotTrusted(NodeError):
    exit_code = 5


class ClockWrong(NodeError):
    exit_code = 6


class SchemaUnknown(NodeError):
    exit_code = 7


class NoTunDevice(NodeError):
    exit_code = 8


class NotPrivileged(NodeError):
    exit_code = 9


class AlreadyRunning(NodeError):
    exit_code = 10


class NotEnrolled(NodeError):
    exit_code = 11


class ServerRefused(NodeError):
    """The server's own refusal: HTTP status, machine-readable word, number to continue above."""

    exit_code = 12

    def __init__(self, text: str, *, status: int, code: str = "", number: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.number = number

    @property
    def is_ours(self) -> bool:
        """Report whether the server blames the node (4xx), so that asking soon is no use."""
        return 400 <= self.status < 500
