"""How far a speed test may go, and how long it is waited for (behaviour 4.1 to 4.3, defaults)."""

from dataclasses import dataclass
from datetime import timedelta

MEGABYTE = 1_000_000
MOST_ON_AGGREGATOR = 4
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a space allows: megabytes of outer packets, both ways, and minutes of waiting.

    `test`: one speed test; `tuner`: the tuning of one leg; `mobile`: where a mobile leg takes part.
    `answer`: until both nodes are ready for a test. `wait`: for a leg that cannot be tested.
    """

    test_mb: int = 2_000
    test_mobile_mb: int = 250
    tuner_mb: int = 10_000
    tuner_mobile_mb: int = 1_000
    answer_minutes: int = 10
    wait_minutes: int = 24 * 60
    wait_in_bond_minutes: int = 30

    def most_bytes_of_test(self, *, is_mobile: bool) -> int:
        return (self.test_mobile_mb if is_mobile else self.test_mb) * MEGABYTE

    def most_bytes_of_tuner(self, *, is_mobile: bool) -> int:
        return (self.tuner_mobile_mb if is_mobile else self.tuner_mb) * MEGABYTE


def over_after(*, length: int, idle_seconds: int) -> timedelta:
    """Return how long after its start a test must be over, its last words included."""
    return timedelta(seconds=length + idle_seconds) + STOPS_AFTER + WORDS_WITHIN
