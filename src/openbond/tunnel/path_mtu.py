"""The largest outer packet that a leg carries in our sending direction (behaviour 3.7).

A search asks with padded, authenticated probes that must not be fragmented, and believes only
acknowledgements: ICMP proves nothing. The ceiling is tried first, then it is a binary search down
to 576; a size is lost when its 3 tries, 50 ms apart, are not answered. At most 11 sizes of at most
0.8 s for a ceiling of 1500: below 10 s.

A smaller result counts at once, a larger one when a second search found it again; that search
follows at once. A search in which nothing at all was answered proves nothing: the leg was dead.

Timers: the next try; the next search after 60 min ±10 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from .messages import HEADER, MTU_ACK, MTU_PROBE, OUTER_IPV4, TAG_SIZE

SMALLEST = 576
ASSUMED = 1500
TRIES = 3
TRY_SPACING = 0.050
PATIENCE_LEAST, PATIENCE_MOST = 0.100, 0.700
SEARCH_EVERY, SEARCH_SPREAD = 3600.0, 0.10
AGAIN_AFTER = 60.0  # when a search found nothing, and between searches on suspicion
AROUND_BODY = OUTER_IPV4 + HEADER.size + TAG_SIZE


@dataclass(frozen=True, slots=True)
class MtuProbe:
    """`size` is that of the outer IP packet; the body is padded to make it so."""

    number: int
    size: int

    def encode(self) -> bytes:
        body = MTU_PROBE.pack(self.number, self.size)
        return body + bytes(self.size - AROUND_BODY - len(body))


def decode_mtu_probe(body: bytes) -> MtuProbe | None:
    """Return the probe; None unless the body is as long as its probe says."""
    if len(body) < MTU_PROBE.size:
        return None
    number, size = MTU_PROBE.unpack_from(body)
    return MtuProbe(number, size) if len(body) == size - AROUND_BODY else None


def encode_mtu_ack(probe: MtuProbe) -> bytes:
    return MTU_ACK.pack(probe.number, probe.size)


def decode_mtu_ack(body: bytes) -> tuple[int, int] | None:
    """Return number and size, or None."""
    return MTU_ACK.unpack(body) if len(body) == MTU_ACK.size else None


@dataclass(slots=True)
class _Search:
    """Between `fits` (known to pass, or 575: not yet known) and `fails` (known to be lost).

    `first` is the number of its first probe: what passed before says nothing of the line now.
    """

    first: int
    fits: int
    fails: int
    size: int
    tries: int = 0
    next_at: float = -inf


class PathMtu:
    """Read by others: `mtu` in bytes of the outer packet, `is_measured`."""

    def __init__(self, ceiling: int, spread: Callable[[float, float], float]) -> None:
        """`spread(seconds, share)` draws from seconds ± share: legs shall not search at once."""
        self.mtu = ceiling
        self.is_measured = False
        self._ceiling = ceiling
        self._spread = spread
        self._search: _Search | None = None
        self._number = 0
        self._larger = 0  # a larger size that one search found
        self._next_search_at = inf
        self._suspect_again_at = -inf
        self._found: int | None = None

    # -- what happened ----------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Start a search; one under way starts over."""
        self._begin_at(self._ceiling, now)

    def begin_on_suspicion(self, now: float) -> None:
        """Start a search as large packets vanish while probes arrive; at most once a minute."""
        if self._search is None and now >= self._suspect_again_at:
            self._suspect_again_at = now + AGAIN_AFTER
            self.begin(now)

    def stop(self) -> None:
        """The leg is down: what is lost now says nothing of sizes."""
        self._search = None
        self._next_search_at = inf

    def set_ceiling(self, ceiling: int, now: float) -> None:
        """Take a changed `interface_mtu`; what was known above it no longer holds."""
        if ceiling == self._ceiling:
            return
        self._ceiling = ceiling
        self._larger = 0
        if self.mtu > ceiling or not self.is_measured:
            self.mtu = self._found = ceiling
        if self._search is not None or self._next_search_at < inf:
            self.begin(now)

    def on_ack(self, number: int, size: int, now: float) -> None:
        """Take in an acknowledgement; a late one of a size given up in this search still counts."""
        search = self._search
        if search is None or not search.first <= number <= self._number:
            return
        if not search.fits < size <= self._ceiling:
            return
        search.fits = size
        search.fails = max(search.fails, size + 1)
        self._step(search, now)

    # -- what to do -------------------------------------------------------------------------------

    def probe_to_send(self, now: float, patience: float) -> MtuProbe | None:
        """Return the probe that is due, if one is; it counts as sent now.

        `patience`: seconds that an answer may take, smoothed RTT + 4 x jitter.
        """
        search = self._search
        if search is None or now < search.next_at or search.tries >= TRIES:
            return None
        search.tries += 1
        is_last = search.tries == TRIES
        wait = min(max(patience, PATIENCE_LEAST), PATIENCE_MOST) if is_last else TRY_SPACING
        search.next_at = now + wait
        self._number += 1
        return MtuProbe(self._number & 0xFFFFFFFF, search.size)

    def get_timer(self) -> float:
        return self._next_search_at if self._search is None else self._search.next_at

    def handle_timer(self, now: float) -> None:
        """Give up a size that was tried often enough; begin the search that is due."""
        search = self._search
        if search is None:
            if now >= self._next_search_at:
                self.begin(now)
        elif search.tries >= TRIES and now >= search.next_at:
            search.fails = search.size
            self._step(search, now)

    def found_to_take(self) -> int | None:
        """Return the path MTU that a search just found, once, though it be the old one."""
        found, self._found = self._found, None
        return found

    # -- inside -----------------------------------------------------------------------------------

    def _begin_at(self, size: int, now: float) -> None:
        first = self._number + 1
        self._search = _Search(first, SMALLEST - 1, self._ceiling + 1, size, next_at=now)
        self._next_search_at = inf

    def _step(self, search: _Search, now: float) -> None:
        if search.fails - search.fits <= 1:
            self._finish(search, now)
            return
        search.size = (search.fits + search.fails) // 2
        search.tries = 0
        search.next_at = now

    def _finish(self, search: _Search, now: float) -> None:
        self._search = None
        if search.fits < SMALLEST:
            self._next_search_at = now + self._spread(AGAIN_AFTER, SEARCH_SPREAD)
            return
        self._next_search_at = now + self._spread(SEARCH_EVERY, SEARCH_SPREAD)
        self._on_result(search.fits, now)

    def _on_result(self, size: int, now: float) -> None:
        if size > self.mtu and not self._larger:
            self._larger = size
            self.begin(now)
            return
        if size > self.mtu:
            size = min(size, self._larger)
        self._larger = 0
        self.mtu = self._found = size
        self.is_measured = True
