"""What the PPPoE and modem clients leave for the agent, below DIR/run/bonding (§3.8)."""

from importlib import resources
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TypeVar

from openbond.node import store
from openbond.node.modems.messages import ModemFacts
from openbond.node.plan.facts import Line

T = TypeVar("T")
HOOK_MODE = 0o755


def place_ppp_hook(path: Path) -> None:
    """Put pppd's script where it finds it; an equal one stays."""
    script = resources.files("openbond.node.linux").joinpath("ppp-hook.sh").read_bytes()
    if store.read(path) != script:
        store.write(path, script, mode=HOOK_MODE)


def read_lines(directory: Path) -> dict[int, Line]:
    """Return the lines by leg id; one with an address that is none is left out."""
    return {leg: line for leg, line in _read_all(directory, Line).items() if _is_usable(line)}


def read_modem_facts(directory: Path) -> dict[int, ModemFacts]:
    return _read_all(directory, ModemFacts)


def read_signals(directory: Path) -> dict[int, int]:
    """Return the signal of each mobile leg's modem in dBm, where it is known."""
    found = read_modem_facts(directory)
    return {leg_id: one.signal for leg_id, one in found.items() if one.signal is not None}


def _is_usable(line: Line) -> bool:
    try:
        if line.ip:
            IPv4Interface(f"{line.ip}/{line.prefix}")
        if line.gateway:
            IPv4Address(line.gateway)
    except ValueError:
        return False
    return True


def _read_all(directory: Path, kind: type[T]) -> dict[int, T]:
    found = {}
    for path in directory.glob("*.json") if directory.is_dir() else []:
        try:
            value = store.read_value(path, kind)
        except store.Damaged:
            continue
        if value is not None and path.stem.isdecimal():
            found[int(path.stem)] = value
    return found
