"""One direction of an access line, in virtual time."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.lab.frames import ETHERNET, GSO_NONE, GSO_UDP, PROTOCOL_UDP, VNET_HEADER
from openbond.lab.line import Line, Shape

from .test_frames import ipv4, super_packet, udp


def line(shape: Shape, seed: int = 1) -> Line:
    return Line(shape=shape, dice=Random(seed))


def frame(number: int, ip_bytes: int = 100) -> bytes:
    packet = bytes(ETHERNET) + number.to_bytes(4, "big") + bytes(ip_bytes - 4)
    return VNET_HEADER.pack(0, GSO_NONE, 0, 0, 0, 0) + packet


def number_of(sent: bytes) -> int:
    return int.from_bytes(sent[VNET_HEADER.size + ETHERNET :][:4], "big")


def arrivals(tested: Line, times: list[float]) -> list[tuple[int, float]]:
    """Send frame i at times[i]; return which came out, and when."""
    for number, now in enumerate(times):
        tested.receive_frame(frame(number), now)
    seen: list[tuple[int, float]] = []
    while (due := tested.get_timer()) is not None:
        seen += [(number_of(sent), due) for sent in tested.frames_to_send(due)]
    return seen


def test_a_plain_line_hands_on_at_once() -> None:
    tested = line(Shape())

    tested.receive_frame(frame(1), now=5.0)

    assert tested.frames_to_send(5.0) == [frame(1)]
    assert tested.get_timer() is None


def test_delay_is_one_way_and_exact() -> None:
    tested = line(Shape(delay_ms=15))

    tested.receive_frame(frame(1), now=5.0)

    assert tested.frames_to_send(5.0149) == []
    assert tested.get_timer() == pytest.approx(5.015)
    assert tested.frames_to_send(5.015) == [frame(1)]


@given(
    seed=st.integers(),
    gaps=st.lists(st.floats(0, 0.2), min_size=1, max_size=200),
    jitter=st.floats(0, 50),
)
def test_jitter_stays_in_its_bounds_and_never_reorders(
    seed: int, gaps: list[float], jitter: float
) -> None:
    times = [sum(gaps[: end + 1]) for end in range(len(gaps))]

    seen = arrivals(line(Shape(delay_ms=40, jitter_ms=jitter), seed), times)

    assert [number for number, _ in seen] == list(range(len(times)))
    assert all(late >= early for (_, early), (_, late) in pairwise(seen))
    latest = max(0.0, 40 + jitter) / 1000
    earliest = max(0.0, 40 - jitter) / 1000
    for (_, out), into in zip(seen, times, strict=True):
        assert earliest - 1e-9 <= out - into <= latest + 1e-9


def test_jitter_uses_its_whole_width() -> None:
    times = [float(second) for second in range(2000)]

    waits = [out - times[n] for n, out in arrivals(line(Shape(delay_ms=40, jitter_ms=10)), times)]

    assert min(waits) < 0.0305
    assert max(waits) > 0.0495
    assert sum(waits) / len(waits) == pytest.approx(0.040, abs=0.0005)


def test_loss_strikes_as_often_as_asked() -> None:
    times = [n / 1000 for n in range(20_000)]
    tested = line(Shape(loss_percent=3))

    seen = arrivals(tested, times)

    assert 20_000 - len(seen) == tested.counters.lost
    assert tested.counters.lost == pytest.approx(600, rel=0.15)


def test_loss_strikes_each_packet_of_a_super_packet() -> None:
    tested = line(Shape(loss_percent=50))
    whole = super_packet(GSO_UDP, 1000, ipv4(PROTOCOL_UDP, udp(bytes(40_000))))

    tested.receive_frame(whole, now=0.0)

    assert 8 <= tested.counters.lost <= 32
    assert len(tested.frames_to_send(0.0)) == 40 - tested.counters.lost


def test_without_loss_a_super_packet_passes_whole() -> None:
    tested = line(Shape(delay_ms=1, jitter_ms=1))
    whole = super_packet(GSO_UDP, 1000, ipv4(PROTOCOL_UDP, udp(bytes(40_000))))

    tested.receive_frame(whole, now=0.0)

    assert tested.frames_to_send(1.0) == [whole]


def test_a_packet_over_the_path_mtu_vanishes_in_silence() -> None:
    tested = line(Shape(mtu=1400))

    tested.receive_frame(frame(1, ip_bytes=1400), now=0.0)
    tested.receive_frame(frame(2, ip_bytes=1401), now=0.0)
    tested.receive_frame(super_packet(GSO_UDP, 1400, ipv4(PROTOCOL_UDP, udp(bytes(3000)))), now=0.0)

    assert [number_of(sent) for sent in tested.frames_to_send(0.0)[:1]] == [1]
    assert tested.counters.too_big == 3
    assert tested.counters.passed_frames == 2


def test_a_cut_loses_what_is_under_way_and_all_that_follows() -> None:
    tested = line(Shape(delay_ms=10))
    tested.receive_frame(frame(1), now=0.0)

    tested.set_shape(Shape(delay_ms=10, is_cut=True))
    tested.receive_frame(frame(2), now=0.001)

    assert tested.get_timer() is None
    assert tested.frames_to_send(1.0) == []
    assert tested.counters.cut == 2


def test_a_mended_line_carries_again() -> None:
    tested = line(Shape(is_cut=True))
    tested.receive_frame(frame(1), now=0.0)

    tested.set_shape(Shape())
    tested.receive_frame(frame(2), now=1.0)

    assert tested.frames_to_send(1.0) == [frame(2)]


def test_a_shorter_delay_does_not_let_frames_overtake() -> None:
    tested = line(Shape(delay_ms=100))
    tested.receive_frame(frame(1), now=0.0)

    tested.set_shape(Shape(delay_ms=1))
    tested.receive_frame(frame(2), now=0.01)

    assert tested.frames_to_send(0.05) == []
    assert tested.frames_to_send(0.1) == [frame(1), frame(2)]


def test_the_same_dice_give_the_same_line() -> None:
    times = [n / 100 for n in range(500)]
    shape = Shape(delay_ms=20, jitter_ms=10, loss_percent=10)

    assert arrivals(line(shape, 7), times) == arrivals(line(shape, 7), times)
