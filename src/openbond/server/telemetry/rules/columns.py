"""Whole numbers as bytes: as narrow as the widest of them, or once where all are the same."""

import sys
from array import array
from collections.abc import Sequence

# Values of nodes beyond this are no measurement; so a sum of hours fits in 64 bits.
MOST = 1 << 46
SAME = b"="
WIDTHS = tuple((code, 1 << (8 * array(code).itemsize - 1)) for code in "bhiq")


def packed(values: Sequence[int]) -> bytes:
    """Return values as bytes. Raises OverflowError beyond 64 bits."""
    if not values:
        return b""
    low, high = min(values), max(values)
    if low == high:
        return SAME + low.to_bytes(8, "little", signed=True)
    code = next((code for code, limit in WIDTHS if -limit <= low and high < limit), "q")
    return code.encode() + _in_order(array(code, values)).tobytes()


def unpacked(octets: bytes, length: int) -> Sequence[int]:
    """Return the values of `packed`; `length` is how many they were."""
    if not octets:
        return []
    if octets[:1] == SAME:
        return [int.from_bytes(octets[1:9], "little", signed=True)] * length
    values = array(chr(octets[0]))
    values.frombytes(octets[1:])
    return _in_order(values)


def _in_order(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values.byteswap()
    return values
