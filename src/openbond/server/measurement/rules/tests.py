"""What may be tested and tuned, and how a test is told in words (api-v3 05-performance 1, 2)."""

from openbond.wire.states import ShownState

# States of the column "can be tested and tuned" of api-v3 03-legs 4.
TESTABLE = frozenset(
    {
        ShownState.UP.value,
        ShownState.ADJUSTED.value,
        ShownState.UNHEALTHY.value,
        ShownState.FAILOVER.value,
    }
)
NOT_TESTABLE = "Only legs that are active and up can be tested."
NO_TRAFFIC = "The bond carries no traffic: none of its active legs is up."


def described(
    *,
    protocol: str,
    direction: str,
    length: int,
    rate_limit_kbps: int | None,
    concurrency: int,
    tries: str = "",
) -> str:
    """Return a test in words, e.g. `TCP download, 10 s, no rate limit, 1 stream`.

    `tries`: the distribution of a test that is not run with the bond's own.
    """
    streams = "1 stream" if concurrency == 1 else f"{concurrency} streams"
    limit = _no_limit(protocol) if rate_limit_kbps is None else _mbit(rate_limit_kbps)
    words = f"{protocol.upper()} {direction}, {length} s, {limit}, {streams}"
    return f"{words}, {tries} with the speeds found" if tries else words


def _no_limit(protocol: str) -> str:
    # UDP without a limit would only measure how fast packets can be thrown away.
    return "limit of the configured speed" if protocol == "udp" else "no rate limit"


def _mbit(kbps: int) -> str:
    number = f"{kbps / 1000:.3f}".rstrip("0").rstrip(".")
    return f"limit {number} Mbit/s"
