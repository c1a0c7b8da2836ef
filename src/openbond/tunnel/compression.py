"""Compression of inner packets, each for itself: raw DEFLATE, RFC 1951, level 1 (behaviour 2.11).

A packet that does not shrink goes as it is; after 16 such in a row its flow is left alone for 1,000
packets. Each end compresses if its own config says so and expands always.
"""

import zlib

MISSES_MOST = 16
LEFT_ALONE = 1000
# Smaller ones gain nothing: DEFLATE finds too little in them.
LEAST = 64
# No IP packet is longer: rubbish or a "bomb" expands no further.
EXPANDED_MOST = 65535
_RAW = -zlib.MAX_WBITS
# A window of 4 KB is more than a packet has, and made anew in a fraction of the time.
_WINDOW, _MEMORY = -12, 5


class Compressor:
    """Remembers which flows are worth the work. `is_on`: the config of this end says so."""

    def __init__(self, *, is_on: bool = False) -> None:
        self.is_on = is_on
        # flow -> packets in a row that did not shrink, or minus the packets it is left alone for
        self._misses: dict[int, int] = {}

    def skips(self, flow: int, count: int) -> bool:
        """Report whether the next `count` packets of the flow are left alone, and count them."""
        if not self.is_on:
            return True
        misses = self._misses.get(flow, 0)
        if misses >= 0:
            return False
        self._misses[flow] = min(0, misses + count)
        return True

    def shrink(self, flow: int, packet: bytes) -> bytes | None:
        """Return the packet compressed; None: it goes as it is. Ask `skips` before."""
        if len(packet) < LEAST:
            return None
        squeeze = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY)
        smaller = squeeze.compress(packet) + squeeze.flush()
        if len(smaller) < len(packet):
            self._misses[flow] = 0
            return smaller
        misses = self._misses.get(flow, 0) + 1
        self._misses[flow] = misses if misses < MISSES_MOST else -LEFT_ALONE
        return None


def expand(body: bytes) -> bytes | None:
    """Return what was compressed; None when the octets are no whole stream, or one too long."""
    stream = zlib.decompressobj(_RAW)
    try:
        packet = stream.decompress(body, EXPANDED_MOST)
    except zlib.error:
        return None
    return packet if stream.eof and not stream.unused_data else None
