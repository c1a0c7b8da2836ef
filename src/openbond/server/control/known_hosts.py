"""Asks the known hosts whether the server's own network works: ICMP echo (behaviour 6.2)."""

import asyncio
import secrets
import socket
import struct
from collections.abc import Sequence

REQUESTS = 3
SECONDS_BETWEEN = 1.0
RESOLVED_WITHIN = 3.0
TOKEN_BYTES = 16
HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence (RFC 792)
# Request and reply of ICMP (RFC 792) and ICMPv6 (RFC 4443).
KINDS = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
PROTOCOLS = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


async def fault_of_hosts(hosts: Sequence[str], *, seconds: float = SECONDS_BETWEEN) -> str:
    """Return which hosts answer none of three requests, in words; "": all answer.

    `seconds`: between the requests, and to wait after the last.
    """
    faults = await asyncio.gather(*(_fault_of(host, seconds) for host in hosts))
    return " ".join(fault for fault in faults if fault)


async def _fault_of(host: str, seconds: float) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM), RESOLVED_WITHIN
        )
    except (OSError, TimeoutError, UnicodeError):
        return f"The known host {host} has no address: its name cannot be resolved."
    family, _, _, _, address = found[0]
    try:
        with _socket(family) as asking:
            if await _answers(asking, address, seconds):
                return ""
    except PermissionError:
        return (
            f"The known host {host} cannot be asked: this process may not send ICMP. Set "
            'net.ipv4.ping_group_range = "0 2147483647" with sysctl.'
        )
    except OSError as error:
        return f"The known host {host} cannot be asked: {error.strerror or error}."
    return f"The known host {host} does not answer."


def _socket(family: socket.AddressFamily) -> socket.socket:
    """Return a socket for ICMP. Raises PermissionError."""
    protocol = PROTOCOLS[family]
    try:
        made = socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        made = socket.socket(family, socket.SOCK_RAW, protocol)
    made.setblocking(False)
    return made


async def _answers(asking: socket.socket, address: object, seconds: float) -> bool:
    token = secrets.token_bytes(TOKEN_BYTES)
    hearing = asyncio.create_task(_hear(asking, token))
    try:
        for number in range(REQUESTS):
            await _send(asking, address, token, number)
            done, _ = await asyncio.wait([hearing], timeout=seconds)
            if done:
                return not hearing.exception()
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    return False


async def _send(asking: socket.socket, address: object, token: bytes, number: int) -> None:
    # The machine may have no route just now; the next request may find one.
    try:
        request = echo_request(asking.family, token, number)
        await asyncio.get_running_loop().sock_sendto(asking, request, address)  # type: ignore[arg-type]  # what getaddrinfo gave
    except PermissionError:
        raise
    except OSError:
        return


async def _hear(asking: socket.socket, token: bytes) -> None:
    """Return when the answer comes."""
    loop = asyncio.get_running_loop()
    while True:
        heard = await loop.sock_recv(asking, 2048)
        if is_reply(asking, heard, token):
            return


def is_reply(asking: socket.socket, heard: bytes, token: bytes) -> bool:
    """Report whether a datagram is the echo of ours: a raw socket hears everybody's."""
    if asking.type == socket.SOCK_RAW and asking.family == socket.AF_INET:
        heard = heard[(heard[0] & 15) * 4 :] if heard else b""  # raw IPv4 comes with its header
    if len(heard) < HEADER.size:
        return False
    _, reply = KINDS[asking.family]
    return heard[0] == reply and heard[HEADER.size :].startswith(token)


def echo_request(family: int, token: bytes, number: int) -> bytes:
    """Return an echo request; the kernel sets the identifier, and ICMPv6's checksum."""
    kind, _ = KINDS[socket.AddressFamily(family)]
    checksum = _checksum(HEADER.pack(kind, 0, 0, 0, number) + token)
    return HEADER.pack(kind, 0, checksum, 0, number) + token


def _checksum(message: bytes) -> int:
    """Return the internet checksum of a message of even length (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
