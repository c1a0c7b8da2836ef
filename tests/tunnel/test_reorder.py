"""Order within a flow, and how long a missing packet may delay the others (behaviour 2.10)."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.flows import SEQUENCES, START_STEP
from openbond.tunnel.join import WHOLE, Item
from openbond.tunnel.reorder import ROOM, Order

FLOW, OTHER_FLOW = 77, 78
FAST, SLOW = 1, 2
HOLD = 0.050


def item(number: int, size: int = 10) -> Item:
    return (number % SEQUENCES).to_bytes(4, "big") + bytes(size), WHOLE


def numbers(items: list[Item]) -> list[int]:
    return [int.from_bytes(body[:4], "big") for body, _ in items]


def order(
    hold: float = HOLD, live: tuple[int, ...] = (FAST, SLOW), *, repairs: bool = True
) -> Order:
    made = Order()
    made.set_hold(hold, live=live, waits_for_repair=repairs)
    return made


def give(to: Order, *sequence: int, leg: int = FAST, now: float = 0.0, flow: int = FLOW) -> None:
    for number in sequence:
        to.receive_run(flow, number % SEQUENCES, (item(number),), leg, now)


def test_what_is_in_order_passes_at_once() -> None:
    buffer = order()

    buffer.receive_run(FLOW, 500, [item(500), item(501), item(502)], FAST, 0.0)

    assert numbers(buffer.take_ready()) == [500, 501, 502]
    assert buffer.held == 0


def test_an_early_packet_waits_for_the_missing_one() -> None:
    buffer = order()
    give(buffer, 500, 502)
    assert numbers(buffer.take_ready()) == [500]

    give(buffer, 501, leg=SLOW, now=0.02)

    assert numbers(buffer.take_ready()) == [501, 502]
    assert buffer.get_timer() == float("inf")


def test_a_held_packet_leaves_when_its_hold_ends() -> None:
    buffer = order()
    give(buffer, 500, 502, now=1.0)

    assert buffer.get_timer() == 1.0 + HOLD
    buffer.handle_timer(1.0 + HOLD)

    assert numbers(buffer.take_ready()) == [500, 502]


def test_a_late_packet_is_handed_on_at_once_and_counted_for_its_leg() -> None:
    buffer = order()
    give(buffer, 500, 502)
    buffer.handle_timer(HOLD)
    buffer.take_ready()

    give(buffer, 501, leg=SLOW, now=1.0)

    assert numbers(buffer.take_ready()) == [501]
    assert buffer.late[SLOW] == 1


def test_a_packet_that_came_is_not_handed_on_twice() -> None:
    buffer = order()
    give(buffer, 500, 501, 503, 503, 500, 501)
    give(buffer, 502)

    assert numbers(buffer.take_ready()) == [500, 501, 502, 503]
    assert buffer.duplicates == 3


def test_a_late_packet_is_handed_on_once() -> None:
    buffer = order(hold=0.0)
    give(buffer, 500, 502, 501, 501)

    assert numbers(buffer.take_ready()) == [500, 502, 501]
    assert buffer.duplicates == 1


def test_a_gap_in_one_flow_does_not_delay_another() -> None:
    buffer = order()
    give(buffer, 500)
    give(buffer, 900, flow=OTHER_FLOW)
    buffer.take_ready()

    give(buffer, 502)
    give(buffer, 901, flow=OTHER_FLOW)

    assert numbers(buffer.take_ready()) == [901]


def test_flow_0_is_never_held() -> None:
    buffer = order()

    give(buffer, 9, 5, 7, flow=0)

    assert numbers(buffer.take_ready()) == [9, 5, 7]


def test_without_a_hold_nothing_waits() -> None:
    buffer = order(hold=0.0)

    give(buffer, 500, 502, 504)

    assert numbers(buffer.take_ready()) == [500, 502, 504]


def test_a_loss_is_proven_once_every_live_leg_delivered_something_later() -> None:
    buffer = order(repairs=False)
    give(buffer, 500, 502, leg=FAST)
    assert numbers(buffer.take_ready()) == [500]

    give(buffer, 503, leg=SLOW, now=0.001)
    assert numbers(buffer.take_ready()) == []  # a leg may swap neighbours
    give(buffer, 504, leg=SLOW, now=0.006)

    assert numbers(buffer.take_ready()) == [502, 503, 504]


def test_a_proven_loss_still_waits_while_a_repair_can_come_in_time() -> None:
    buffer = order(repairs=True)
    give(buffer, 500, 502, leg=FAST)
    give(buffer, 503, leg=SLOW)
    assert numbers(buffer.take_ready()) == [500]

    give(buffer, 501, leg=SLOW)

    assert numbers(buffer.take_ready()) == [501, 502, 503]


def test_the_first_packets_of_a_new_flow_are_put_in_order_too() -> None:
    buffer = order()
    start = 3 * START_STEP

    give(buffer, start + 1, start + 2, start)

    assert numbers(buffer.take_ready()) == [start, start + 1, start + 2]


def test_a_peer_that_began_anew_is_followed_at_once() -> None:
    buffer = order()
    give(buffer, 500, 502)
    anew = START_STEP * 30_000

    give(buffer, anew, anew + 1)

    assert numbers(buffer.take_ready()) == [500, 502, anew, anew + 1]


def test_numbers_pass_their_end() -> None:
    buffer = order()
    give(buffer, SEQUENCES - 2)
    give(buffer, SEQUENCES, SEQUENCES - 1)

    assert numbers(buffer.take_ready()) == [
        SEQUENCES - 2,
        SEQUENCES - 1,
        0,
    ]


def test_room_is_bounded_and_the_oldest_leave_first() -> None:
    buffer = order(hold=1000.0)
    give(buffer, 500)
    for number in range(502, 502 + 18_000, 2):
        buffer.receive_run(FLOW, number, (item(number, 1000),), FAST, 0.0)

    handed_on = numbers(buffer.take_ready())

    assert handed_on[:3] == [500, 502, 504]
    kept = 9001 - len(handed_on)
    assert kept * 1004 <= ROOM
    assert kept >= 2048


def test_a_wide_gap_costs_no_counting() -> None:
    buffer = order()
    give(buffer, 500, 500 + 900_000)

    buffer.handle_timer(HOLD)

    assert numbers(buffer.take_ready()) == [500, 900_500]
    give(buffer, 900_000, leg=SLOW)
    assert numbers(buffer.take_ready()) == [900_000]


@given(
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=1, max_value=200),
    st.integers(min_value=0, max_value=10_000),
)
def test_any_shuffle_within_the_hold_comes_out_in_order(first: int, size: int, seed: int) -> None:
    first = first // START_STEP * START_STEP
    shuffled = list(range(first, first + size))
    Random(seed).shuffle(shuffled)
    buffer = order()

    for number in shuffled:
        give(buffer, number, leg=seed % 2 + 1, now=0.001)

    assert numbers(buffer.take_ready()) == [n % SEQUENCES for n in range(first, first + size)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 2), st.floats(0, 0.1)), max_size=80))
def test_nothing_is_lost_or_doubled_and_no_hold_is_exceeded(
    arrivals: list[tuple[int, int, float]],
) -> None:
    buffer = order()
    now, seen = 0.0, set()
    handed_on: list[int] = []
    waiting: dict[int, float] = {}
    for offset, leg, pause in arrivals:
        now += pause
        give(buffer, START_STEP + offset, leg=leg, now=now)
        buffer.handle_timer(now)
        assert buffer.get_timer() > now
        if offset not in seen:
            waiting[offset] = now
        seen.add(offset)
        for number in numbers(buffer.take_ready()):
            handed_on.append(number - START_STEP)
            waiting.pop(number - START_STEP, None)
        assert all(came > now - HOLD - 1e-9 for came in waiting.values())
    buffer.handle_timer(now + HOLD)
    handed_on += [number - START_STEP for number in numbers(buffer.take_ready())]

    assert sorted(handed_on) == sorted(seen)
