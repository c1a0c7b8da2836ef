"""What TCP of this machine has not sent yet, by sock_diag (7)."""

import socket
import struct

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DONE, _ERROR = 3, 2
_INET_DIAG_INFO = 2
_ESTABLISHED = 1 << 1
_HEADER = struct.Struct("=IHHII")
# inet_diag_req_v2: family, protocol, extensions, states; an id that a dump does not look at.
_REQUEST = struct.Struct("=BBBxI48x")
# inet_diag_msg: family, state, timer, retransmissions; ports and addresses in network order.
_MESSAGE = struct.Struct("=BBBB2s2s16s16s")
_MESSAGE_SIZE = 72
_ATTRIBUTE = struct.Struct("=HH")
# In tcp_info: snd_mss, and notsent_bytes (Linux 4.6 and later).
_MSS_AT, _NOT_SENT_AT = 16, 144
_READ = 1 << 16


def unsent_packets(address: str, port: int) -> float:
    """Return how many full packets wait in TCP connections between `address` and a port, at
    either end, before they are sent for the first time. Raises OSError.
    """
    ours, number = socket.inet_aton(address), struct.pack("!H", port)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(1.0)
        body = _REQUEST.pack(
            socket.AF_INET, socket.IPPROTO_TCP, 1 << _INET_DIAG_INFO - 1, _ESTABLISHED
        )
        size = _HEADER.size + len(body)
        asking.send(_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + body)
        waiting = 0.0
        while True:
            found, is_last = _read(asking.recv(_READ), ours, number)
            waiting += found
            if is_last:
                return waiting


def _read(octets: bytes, ours: bytes, number: bytes) -> tuple[float, bool]:
    at, waiting = 0, 0.0
    while at + _HEADER.size <= len(octets):
        size, kind, *_ = _HEADER.unpack_from(octets, at)
        if kind in (_DONE, _ERROR) or size < _HEADER.size:
            return waiting, True
        waiting += _waiting_in(octets[at + _HEADER.size : at + size], ours, number)
        at += (size + 3) & ~3
    return waiting, False


def _waiting_in(message: bytes, ours: bytes, number: bytes) -> float:
    _, _, _, _, source_port, peer_port, source, _ = _MESSAGE.unpack_from(message)
    if source[:4] != ours or number not in (source_port, peer_port):
        return 0.0
    at = _MESSAGE_SIZE
    while at + _ATTRIBUTE.size <= len(message):
        size, kind = _ATTRIBUTE.unpack_from(message, at)
        info = message[at + _ATTRIBUTE.size : at + size]
        if kind == _INET_DIAG_INFO and len(info) >= _NOT_SENT_AT + 4:
            (mss,) = struct.unpack_from("=I", info, _MSS_AT)
            (not_sent,) = struct.unpack_from("=I", info, _NOT_SENT_AT)
            return float(not_sent / max(1, mss))
        at += max(_ATTRIBUTE.size, (size + 3) & ~3)
    return 0.0
