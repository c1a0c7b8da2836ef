"""DHCP leases as the clients' hook leaves them: DIR/run/bonding/leases/<leg>.json (§3.8)."""

from importlib import resources
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from openbond.node import store
from openbond.node.plan.facts import Lease

HOOK_MODE = 0o755


def place_hook(path: Path) -> None:
    """Put the hook script where the clients find it; an equal one stays."""
    script = resources.files("openbond.node.linux").joinpath("dhcp-hook.sh").read_bytes()
    if store.read(path) != script:
        store.write(path, script, mode=HOOK_MODE)


def read_leases(directory: Path, *, now: float) -> dict[int, Lease]:
    """Return the leases in force by leg id. `now`: wall clock, s."""
    found = {}
    for path in directory.glob("*.json") if directory.is_dir() else []:
        lease = _read(path)
        if lease is not None and path.stem.isdecimal() and _is_in_force(lease, now):
            found[int(path.stem)] = lease
    return found


def _is_in_force(lease: Lease, now: float) -> bool:
    try:
        own = IPv4Interface(f"{lease.ip}/{lease.prefix}")
        if lease.gateway:
            IPv4Address(lease.gateway)
    except ValueError:
        # Of a strange server: it must not keep the rest of the config from being applied.
        return False
    return lease.expires > now and own.ip.packed != bytes(4)


def _read(path: Path) -> Lease | None:
    try:
        return store.read_value(path, Lease)
    except store.Damaged:
        # A power cut, or a strange server: the client writes it anew at the next renewal.
        return None
