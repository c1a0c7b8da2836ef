"""Tunnels between aggregators, made when a private WAN needs them (behaviour 5.8)."""

import base64
import secrets
from collections.abc import Collection
from itertools import combinations

import structlog

from openbond.server.fleet.models import Trunk
from openbond.server.system.locks import Lock, take

SECRET_BYTES = 32
# Ports of legs begin at 2000; each aggregator counts down from the last one before them.
LAST_PORT, FIRST_PORT = 1999, 1024

log = structlog.get_logger(__name__)


def join_aggregators(ids: Collection[int]) -> None:
    """Make the trunks that are missing between each two of these aggregators.

    Call it in the transaction of the change that needs them.
    """
    pairs = set(combinations(sorted(ids), 2))
    have = Trunk.objects.filter(first__in=ids, second__in=ids)
    missing = pairs - set(have.values_list("first_id", "second_id"))
    if not missing:
        return
    take(Lock.PORTS)
    for first, second in sorted(missing):
        _join(first, second)


def _join(first: int, second: int) -> None:
    taken = set(Trunk.objects.filter(first=first).values_list("port", flat=True))
    free = next((port for port in range(LAST_PORT, FIRST_PORT - 1, -1) if port not in taken), None)
    if free is None:
        # Failover must not fail for it: the two do not reach each other, and their nodes warn.
        log.error("no port is left for a trunk", first=first, second=second)
        return
    trunk = Trunk(first_id=first, second_id=second, port=free)
    trunk.secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    Trunk.objects.bulk_create([trunk], ignore_conflicts=True)
