"""The share of packets that came after their hold (behaviour 2.7 a; ADR 0015)."""

import pytest

from openbond.tunnel.late import LateMeter


def shares(seconds: list[tuple[int, int]]) -> list[float | None]:
    meter, late, packets, found = LateMeter(), 0, 0, []
    for more_late, more in seconds:
        late, packets = late + more_late, packets + more
        found.append(meter.sample(late, packets))
    return found


def test_one_hiccup_is_no_late_leg() -> None:
    assert max(shares([(0, 500)] * 3 + [(130, 500)] + [(0, 500)] * 6)[1:]) == 0  # type: ignore[type-var]


def test_a_leg_that_is_late_again_and_again_shows_its_share() -> None:
    assert shares([(50, 500)] * 5)[-1] == pytest.approx(0.1)
    assert shares([(0, 500), (200, 500), (0, 500), (200, 500), (0, 500)])[-1] == pytest.approx(0.1)


def test_a_few_packets_say_nothing() -> None:
    assert shares([(5, 10)] * 5) == [None] * 5
