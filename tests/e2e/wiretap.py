"""Record the packets of an interface, or play recorded ones back. A program, run on lab hosts:

wiretap.py record IFACE FILE     note every frame that comes in, until SIGTERM
wiretap.py play IFACE FILE       put the frames on the wire again, sources and all
wiretap.py send IP FILE          send their UDP payloads from here, each to the port it went to
"""

import contextlib
import socket
import struct
import sys
import time
from pathlib import Path

ETH_P_ALL = 0x0003
PACKET_IGNORE_OUTGOING, SOL_PACKET = 23, 263
ETHERNET, UDP_HEADER, PROTOCOL_UDP = 14, 8, 17
LENGTH = struct.Struct(">I")
PAUSE = 0.0005


def record(interface: str, path: Path) -> None:
    """Append each frame to the file at once: nothing is lost when we are killed."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        tap.bind((interface, ETH_P_ALL))
        with path.open("wb", buffering=0) as file:
            while True:
                frame = tap.recv(66_000)
                file.write(LENGTH.pack(len(frame)) + frame)


def read_frames(path: Path) -> list[bytes]:
    """Return the frames of a recording, oldest first."""
    octets, frames = path.read_bytes(), []
    while len(octets) >= LENGTH.size:
        (size,) = LENGTH.unpack_from(octets)
        frames.append(octets[LENGTH.size : LENGTH.size + size])
        octets = octets[LENGTH.size + size :]
    return frames


def play(interface: str, path: Path) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as tap:
        tap.bind((interface, 0))
        for frame in read_frames(path):
            with contextlib.suppress(OSError):  # a super-packet is too long to go out whole
                tap.send(_without_checksum(frame))
            time.sleep(PAUSE)


def _without_checksum(frame: bytes) -> bytes:
    """Return the frame without UDP checksum: inside a machine the kernel leaves that unfinished."""
    if udp_of(frame) is None:
        return frame
    begin = ETHERNET + (frame[ETHERNET] & 0x0F) * 4
    return frame[: begin + 6] + b"\0\0" + frame[begin + UDP_HEADER :]


def send(ip: str, path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        for port, payload in filter(None, map(udp_of, read_frames(path))):
            with contextlib.suppress(OSError):
                opened.sendto(payload, (ip, port))
            time.sleep(PAUSE)


def addresses_of(frame: bytes) -> tuple[str, str]:
    """Return source and destination of an IPv4 packet; empty for others."""
    if frame[12:14] != b"\x08\x00":
        return "", ""
    return socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])


def udp_of(frame: bytes) -> tuple[int, bytes] | None:
    """Return the destination port and payload of an IPv4 UDP packet."""
    if frame[12:14] != b"\x08\x00" or frame[ETHERNET + 9] != PROTOCOL_UDP:
        return None
    begin = ETHERNET + (frame[ETHERNET] & 0x0F) * 4
    port, length = struct.unpack_from(">2xHH", frame, begin)
    return port, frame[begin + UDP_HEADER : begin + length]


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(sys.argv[2], Path(sys.argv[3]))
    elif sys.argv[1] == "play":
        play(sys.argv[2], Path(sys.argv[3]))
    else:
        send(sys.argv[2], Path(sys.argv[3]))
