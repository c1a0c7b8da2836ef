"""Arithmetic about nodes. No database, no clock, no dice: callers pass what they know."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

# 32 symbols without look-alikes: I L O U are missing.
KEY_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY_BITS = 80
NAME_SYMBOLS = "abcdefghijklmnopqrstuvwxyz0123456789"
NAME_RANDOM_SYMBOLS = 8
HOSTNAME_LENGTH = 63
RECENT = timedelta(days=7)


def node_key(random_bits: int) -> str:
    """Return the node key that 80 random bits spell: XXXX-XXXX-XXXX-XXXX."""
    symbols = [KEY_SYMBOLS[random_bits >> shift & 31] for shift in range(KEY_BITS - 5, -1, -5)]
    return "-".join("".join(symbols[start : start + 4]) for start in range(0, 16, 4))


def default_name(random_number: int) -> str:
    """Return `default-` and eight letters or digits that a random number below 36**8 spells."""
    symbols = []
    for _ in range(NAME_RANDOM_SYMBOLS):
        random_number, rest = divmod(random_number, len(NAME_SYMBOLS))
        symbols.append(NAME_SYMBOLS[rest])
    return f"default-{''.join(symbols)}"


def hostname(*, space_name: str, node_name: str) -> str:
    """Return the space's and the node's name made host-safe (behaviour 1.1)."""
    return re.sub("[^a-z0-9-]+", "-", f"{space_name}-{node_name}".lower())[:HOSTNAME_LENGTH]


def node_status(*, last_connected: datetime | None, timeout_seconds: int, now: datetime) -> str:
    """Return `unknown` if never seen, `up` if heard within the timeout, else `down`."""
    if last_connected is None:
        return "unknown"
    silence = now - last_connected
    return "up" if silence <= timedelta(seconds=timeout_seconds) else "down"


def is_recent(*, last_connected: datetime | None, now: datetime) -> bool:
    """Report whether a node was heard within the last seven days."""
    return last_connected is not None and now - last_connected <= RECENT


def is_suspended(*, monitored: int, failed: int, percentage: int) -> bool:
    """Report whether so many aggregators look failed that the server doubts its own network."""
    return monitored > 0 and failed * 100 >= percentage * monitored


@dataclass(frozen=True, slots=True)
class CheckMark:
    """Where an aggregator stands (behaviour 6.1): `ok` without misses, `suspect` with some, or
    `failed`, whatever the misses.
    """

    misses: int
    failed: bool


def after_check(mark: CheckMark, *, answered: bool, retries: int) -> CheckMark:
    """Return where an aggregator stands after one more check (behaviour 6.1, table)."""
    if answered:
        return CheckMark(misses=0, failed=False)
    misses = mark.misses + 1
    return CheckMark(misses=misses, failed=mark.failed or misses >= retries)


def is_served(*, bonds: int, served: int) -> bool:
    """Report whether an aggregator serves its bonds, of which `served` have a tunnel daemon.

    One bond's daemon may be about to start, or broken; when most are, it is the aggregator.
    """
    return served * 2 >= bonds
