"""Give up every right that moving packets does not need (behaviour 1.2).

Called once TUN device and sockets are open. Later sockets need no rights: anybody may tie an
unbound one to an interface (Linux 5.7 and later).
"""

import ctypes
import os
import pwd
from contextlib import suppress

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_NOBODY = 65534


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop_privileges() -> str:
    """Become `nobody` with no capabilities; return what could not be given up, "" if nothing.

    In a user namespace that maps no such user the capabilities still go.
    """
    left = ""
    if os.geteuid() == 0:
        try:
            _become(_nobody())
        except OSError as refused:
            left = f"still user 0 ({refused.strerror}), without capabilities"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), (_Sets * 2)()) != 0:
        left = f"capabilities could not be dropped: {os.strerror(ctypes.get_errno())}"
    return left


def _nobody() -> tuple[int, int]:
    with suppress(KeyError):
        entry = pwd.getpwnam("nobody")
        return entry.pw_uid, entry.pw_gid
    return _NOBODY, _NOBODY


def _become(user: tuple[int, int]) -> None:
    uid, gid = user
    with suppress(PermissionError):  # a user namespace may deny it; the groups are the user's own
        os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
