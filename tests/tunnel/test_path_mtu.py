"""The search for the path MTU, over lines that carry so much and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.messages import HEADER, OUTER_IPV4, TAG_SIZE
from openbond.tunnel.path_mtu import (
    SEARCH_EVERY,
    SMALLEST,
    MtuProbe,
    PathMtu,
    decode_mtu_ack,
    decode_mtu_probe,
    encode_mtu_ack,
)


def fresh(ceiling: int = 1500) -> PathMtu:
    return PathMtu(ceiling, lambda seconds, share: seconds)


def search(
    path: PathMtu, carries: int, *, rtt: float = 0.02, start: float = 0.0, lose: int = 0
) -> tuple[list[int], float]:
    """Run a search until it rests; return what was found, and when it was over.

    The line carries `carries` bytes and loses each `lose`-th datagram.
    """
    found, acks, now, sent = [], list[tuple[float, int, int]](), start, 0
    path.begin(start)
    while (at := min([path.get_timer(), *(ack[0] for ack in acks)])) < start + SEARCH_EVERY / 2:
        now = at
        for ack in [ack for ack in acks if ack[0] <= now]:
            acks.remove(ack)
            path.on_ack(ack[1], ack[2], now)
        path.handle_timer(now)
        probe = path.probe_to_send(now, patience=1.2 * rtt)
        assert path.get_timer() > now
        if probe is not None:
            sent += 1
            arrives = probe.size <= carries and (not lose or sent % lose)
            acks += [(now + rtt, probe.number, probe.size)] if arrives else []
        if (size := path.found_to_take()) is not None:
            found.append(size)
    return found, now


@given(st.integers(SMALLEST, 1500))
def test_every_size_is_found_exactly(carries: int) -> None:
    path = fresh()

    assert search(path, carries)[0] == [carries]
    assert (path.mtu, path.is_measured) == (carries, True)


@pytest.mark.parametrize("carries", [576, 900, 1400, 1499, 1500])
@pytest.mark.parametrize("rtt", [0.001, 0.05, 0.3, 0.6])
def test_a_search_is_over_within_ten_seconds(carries: int, rtt: float) -> None:
    assert search(fresh(), carries, rtt=rtt)[1] < 10.0


def test_a_line_that_loses_a_third_is_measured_all_the_same() -> None:
    assert search(fresh(), 1400, lose=3)[0] == [1400]


def test_1500_is_assumed_until_measured_and_the_operators_ceiling_is_kept() -> None:
    assert (fresh().mtu, fresh().is_measured) == (1500, False)
    assert fresh(1492).mtu == 1492
    assert search(fresh(1492), 1500)[0] == [1492]


def test_a_dead_leg_proves_nothing() -> None:
    path = fresh()
    search(path, 1400)

    assert search(path, 0, start=100.0)[0] == []
    assert path.mtu == 1400


def test_a_smaller_result_counts_at_once_a_larger_one_after_a_second_search() -> None:
    path = fresh()
    search(path, 1400)
    quick = search(path, 1400, start=100.0)[1] - 100.0

    found, over = search(path, 1500, start=200.0)

    assert found == [1500]
    assert over - 200.0 > 0.03  # two answers, one after the other
    assert search(path, 1300, start=300.0)[0] == [1300]
    assert quick < 10.0


def test_a_larger_result_that_the_second_search_does_not_find_is_dropped() -> None:
    path = fresh()
    search(path, 1400)
    path.begin(100.0)
    first = path.probe_to_send(100.0, 0.1)
    assert first is not None
    path.on_ack(first.number, 1500, 100.02)  # once: a route that came and went

    found, _ = search(path, 1400, start=100.1)

    assert found == [1400]
    assert path.mtu == 1400


def test_the_next_search_comes_after_an_hour() -> None:
    path = fresh()
    _, over = search(path, 1400)

    assert path.get_timer() == pytest.approx(over + SEARCH_EVERY, abs=1.0)
    path.handle_timer(path.get_timer())
    assert path.probe_to_send(over + SEARCH_EVERY + 1, 0.1) is not None


def test_suspicion_starts_a_search_once_a_minute() -> None:
    path = fresh()
    search(path, 1500)

    path.begin_on_suspicion(100.0)
    assert path.probe_to_send(100.0, 0.1) is not None
    search(path, 1500, start=100.1)
    path.begin_on_suspicion(130.0)
    assert path.probe_to_send(130.0, 0.1) is None
    path.begin_on_suspicion(161.0)
    assert path.probe_to_send(161.0, 0.1) is not None


def test_a_lower_ceiling_holds_at_once_and_is_measured_anew() -> None:
    path = fresh()
    search(path, 1500)

    path.set_ceiling(1400, 100.0)

    assert path.found_to_take() == 1400
    assert path.mtu == 1400
    assert path.probe_to_send(100.0, 0.1) == MtuProbe(2, 1400)


def test_a_lie_above_what_was_asked_is_not_believed() -> None:
    path = fresh()
    path.begin(0.0)
    path.probe_to_send(0.0, 0.1)

    path.on_ack(1, 9000, 0.1)
    path.on_ack(77, 1500, 0.1)

    assert path.found_to_take() is None


def test_what_passed_before_the_search_began_does_not_count() -> None:
    path = fresh()
    path.begin(0.0)
    before = path.probe_to_send(0.0, 0.1)
    assert before is not None

    path.begin(0.01)  # the line has just become narrower
    path.on_ack(before.number, before.size, 0.02)

    assert path.found_to_take() is None


def test_a_probe_fills_the_outer_packet_to_its_size() -> None:
    for size in (576, 1400, 1500, 9000):
        body = MtuProbe(3, size).encode()

        assert len(body) + OUTER_IPV4 + HEADER.size + TAG_SIZE == size
        assert decode_mtu_probe(body) == MtuProbe(3, size)
        assert decode_mtu_probe(body[:-1]) is None
        assert decode_mtu_ack(encode_mtu_ack(MtuProbe(3, size))) == (3, size)


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused_and_never_raise(body: bytes) -> None:
    decode_mtu_probe(body)
    decode_mtu_ack(body)
