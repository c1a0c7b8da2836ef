"""The server's name, resolved per leg; addresses that worked last serve when that fails (§1.5)."""

import asyncio
import socket
from ipaddress import ip_address
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.resolver

from openbond.node import store

from .ways import Way

RESOLVE_S = 4.0
KEPT = 4


class ServerAddresses:
    """Resolves one name; remembers on disk which addresses worked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._worked = store.read_value(path, dict[str, list[str]]) or {}
        except store.Damaged:
            # Only a cache: a new one grows.
            self._worked = {}

    async def of(self, host: str, way: Way) -> list[str]:
        """Return addresses to try, fresh ones first; empty when nothing is known."""
        if _is_address(host):
            return [host]
        fresh = await _resolve(host, way)
        return list(dict.fromkeys([*fresh, *self._worked.get(host, [])]))

    def worked(self, host: str, address: str) -> None:
        """Remember that the server answered at `address`."""
        before = self._worked.get(host, [])
        if _is_address(host) or before[:1] == [address]:
            return
        self._worked[host] = [address, *(known for known in before if known != address)][:KEPT]
        store.write_value(self._path, self._worked)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _resolve(host: str, way: Way) -> list[str]:
    if way.source is None:
        return await _resolve_by_system(host)
    try:
        resolver = dns.asyncresolver.Resolver(configure=not way.name_servers)
        if way.name_servers:
            resolver.nameservers = list(way.name_servers)
        answer = await resolver.resolve(host, "A", source=way.source, lifetime=RESOLVE_S)
    except (dns.exception.DNSException, OSError):
        return []
    return [record.to_text() for record in answer]


async def _resolve_by_system(host: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(host, None, type=socket.SOCK_STREAM), RESOLVE_S
        )
    except (OSError, TimeoutError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
