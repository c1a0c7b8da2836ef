"""How far a speed test may go, and how long it is waited for (behaviour 4.1 to 4.3, defaults)."""

from datetime import timedelta

MOST_BYTES = 2_000_000_000
MOST_BYTES_MOBILE = 250_000_000
MOST_ON_AGGREGATOR = 4
# How long both nodes may take to say that they are ready.
ANSWER_WITHIN = timedelta(minutes=10)
# Each end stops by its own clock this long after the length of a test.
STOPS_AFTER = timedelta(seconds=15)
# So long the last words may be under way, and a leg needs to come back from the test before.
WORDS_WITHIN = timedelta(seconds=10)
BACK_WITHIN = timedelta(seconds=30)
# So long the leg stays out of its bond between two tests of a tuning, and after the last one: with
# the 5 s of its return less than the 15 s in which it must be back (behaviour 4.4).
LEG_KEPT = timedelta(seconds=8)
# Both ends tell something every second of the traffic.
HEARD_WITHIN = timedelta(seconds=15)


def most_bytes(*, is_mobile: bool) -> int:
    """Return how many bytes of outer packets, both ways, a test may move."""
    return MOST_BYTES_MOBILE if is_mobile else MOST_BYTES


def over_after(*, length: int, idle_seconds: int) -> timedelta:
    """Return how long after its start a test must be over, its last words included."""
    return timedelta(seconds=length + idle_seconds) + STOPS_AFTER + WORDS_WITHIN
