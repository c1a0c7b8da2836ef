"""Ask a tunnel daemon of a lab or a bench, as its agent would."""

import socket
from pathlib import Path

from openbond.node.daemon_messages import (
    Line,
    Request,
    Status,
    StatusAnswer,
    decode_line,
    encode_line,
    socket_path,
)

from .errors import LabError

ASK_WITHIN = 2.0


def ask_daemon(root: Path, bond_id: int, request: Request) -> Line:
    """Return what the daemon of a node answers; `root`: the node's root directory.

    Raises OSError while it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(ASK_WITHIN)
        channel.connect(str(socket_path(root, bond_id)))
        channel.sendall(encode_line(request))
        with channel.makefile("rb") as answers:
            return decode_line(answers.readline())


def daemon_status(root: Path, bond_id: int) -> StatusAnswer:
    """Raises OSError while the daemon does not answer, LabError when it refuses."""
    answer = ask_daemon(root, bond_id, Status())
    if not isinstance(answer, StatusAnswer):
        raise LabError(f"the daemon of bond {bond_id} below {root} refused to tell its status")
    return answer
