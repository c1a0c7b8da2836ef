"""Becomes the program it is given, without any privilege, and to die with who started it."""

import ctypes
import os
import signal
import sys

from openbond.node.linux.privileges import drop_privileges

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent = os.getppid()
    drop_privileges()
    # After the change of user, which clears it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # whoever started us was gone before it counted
    try:
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted
    except OSError as refused:
        sys.exit(f"error - {sys.argv[1]} cannot be started: {refused.strerror}")


if __name__ == "__main__":
    main()
