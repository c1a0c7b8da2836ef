"""Our packet filter table: read, and replaced as a whole in one transaction."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from openbond.node import store
from openbond.node.errors import NodeError
from openbond.node.plan.numbers import FILTER_TABLE
from openbond.node.plan.values import Ruleset

from .netlink import Refused

PATIENCE_S = 20
TABLE = {"family": "inet", "name": FILTER_TABLE}


class Mark(Struct, frozen=True, kw_only=True):
    """What we wrote last, and what the kernel showed right afterwards.

    The kernel shows a table in other words than those it was given; so a change by others is
    found by comparing with what it showed when the table was ours.
    """

    text: str
    shown: str


def observe_ruleset(mark_path: Path) -> Ruleset | None:
    """Return our table as we wrote it, None when somebody changed it since.

    Raises Refused when nft cannot be asked.
    """
    shown = _shown()
    if shown == "":
        return Ruleset("")
    try:
        mark = store.read_value(mark_path, Mark)
    except store.Damaged:
        return None
    return Ruleset(mark.text) if mark is not None and mark.shown == _digest(shown) else None


def set_ruleset(ruleset: Ruleset, mark_path: Path) -> None:
    """Replace our table; counters of the same name go on. Raises Refused."""
    counters = _counters()
    objects = msgspec.json.decode(ruleset.text) if ruleset.text else []
    _seed(objects, counters)
    # "add" first: deleting a table that is not there would fail the whole transaction.
    begin = [{"add": {"table": TABLE}}, {"delete": {"table": TABLE}}]
    fresh = [{"add": {"table": TABLE}}, *objects] if objects else []
    _nft(["-j", "-f", "-"], msgspec.json.encode({"nftables": [*begin, *fresh]}))
    mark = Mark(text=ruleset.text, shown=_digest(_shown()))
    store.write_value(mark_path, mark)


def read_counters() -> dict[str, int]:
    """Return the packets counted by each named counter of ours."""
    return {name: counter["packets"] for name, counter in _counters().items()}


def _counters() -> dict[str, dict[str, int]]:
    found = {}
    for entry in _listing():
        counter = entry.get("counter")
        if counter is not None:
            found[counter["name"]] = {name: counter[name] for name in ("packets", "bytes")}
    return found


def _seed(objects: list[dict[str, Any]], counters: dict[str, dict[str, int]]) -> None:
    for entry in objects:
        counter = entry["add"].get("counter")
        if counter is not None:
            counter.update(counters.get(counter["name"], {}))


def _shown() -> str:
    """Return our table as the kernel shows it, without what changes by itself; "" without one."""
    plain = [_without_counts(entry) for entry in _listing() if "metainfo" not in entry]
    return msgspec.json.encode(plain, order="deterministic").decode() if plain else ""


def _without_counts(value: Any) -> Any:
    if isinstance(value, dict):
        dropped = ("handle", "packets", "bytes")
        return {key: _without_counts(v) for key, v in value.items() if key not in dropped}
    if isinstance(value, list):
        return [_without_counts(inner) for inner in value]
    return value


def _listing() -> list[dict[str, Any]]:
    tables = msgspec.json.decode(_nft(["-j", "list", "tables"]))["nftables"]
    if not any(entry.get("table", {}).get("name") == FILTER_TABLE for entry in tables):
        return []
    answer = _nft(["-j", "list", "table", "inet", FILTER_TABLE])
    entries: list[dict[str, Any]] = msgspec.json.decode(answer)["nftables"]
    return entries


def _nft(arguments: list[str], text: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["nft", *arguments], input=text, capture_output=True, timeout=PATIENCE_S, check=False
        )
    except FileNotFoundError as error:
        raise NodeError(
            "The program nft is not installed: install it with `apt install nftables`."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Refused(f"nft did not answer within {PATIENCE_S} s") from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(f"nft refuses the packet filter: {words[0] if words else 'no reason given'}")
    return done.stdout


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
