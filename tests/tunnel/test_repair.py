"""What is sent again, and what is not (behaviour 2.10; design/tunnel.md, Repair)."""

from openbond.tunnel.hearing import Gap, Hearing
from openbond.tunnel.messages import Type
from openbond.tunnel.parcels import Parcel
from openbond.tunnel.repair import Outbox

SESSION, OTHER = 22, 23


def outbox(*, room: int = 1 << 20) -> Outbox:
    return Outbox(keep=0.150, room=room)


def super_packet(count: int, sequence: int = 0) -> Parcel:
    size = count * 1000
    return Parcel(
        Type.SEGMENT, 5, sequence, bytes(size), headers=bytes(40), begin=0, end=size, step=1000
    )


def hearing(*gaps: tuple[int, int], highest: int = 100, session: int = SESSION) -> Hearing:
    return Hearing(session, highest, highest, 0.0, tuple(Gap(*gap) for gap in gaps))


def sequences(parcels: list[Parcel]) -> list[int]:
    return [parcel.sequence + number for parcel in parcels for number in range(parcel.count)]


def test_the_datagrams_in_a_gap_are_sent_again_with_their_own_flow_numbers() -> None:
    box = outbox()
    box.on_sent(SESSION, 1, super_packet(10, sequence=500), 0.0)
    box.on_sent(SESSION, 11, super_packet(10, sequence=510), 0.0)

    lost = box.lost(hearing((9, 4)), 0.02)

    assert sequences(lost) == [508, 509, 510, 511]
    assert all(parcel.is_repair for parcel in lost)


def test_a_gap_that_is_named_again_is_not_repaired_again() -> None:
    box = outbox()
    box.on_sent(SESSION, 1, super_packet(10), 0.0)
    box.lost(hearing((3, 2)), 0.02)

    again = box.lost(hearing((3, 3)), 0.03)

    assert sequences(again) == [4]


def test_a_repair_is_not_repaired() -> None:
    box = outbox()
    box.on_sent(SESSION, 1, super_packet(3).part(0, 3, is_repair=True), 0.0)

    assert box.lost(hearing((1, 3)), 0.02) == []


def test_what_is_older_than_the_longest_hold_is_not_sent_again() -> None:
    box = outbox()
    box.on_sent(SESSION, 1, super_packet(3), 0.0)

    assert box.lost(hearing((1, 3)), 0.151) == []


def test_a_gap_of_another_session_says_nothing_of_this_one() -> None:
    box = outbox()
    box.on_sent(SESSION, 1, super_packet(3), 0.0)

    assert box.lost(hearing((1, 3), session=OTHER), 0.02) == []


def test_after_silence_all_that_was_not_heard_of_is_sent_again() -> None:
    box = outbox()
    box.on_sent(SESSION, 1, super_packet(10), 0.0)
    box.on_sent(SESSION, 11, super_packet(5, sequence=10), 0.01)
    box.lost(hearing(highest=7), 0.02)

    assert sequences(box.unheard(0.1)) == [7, 8, 9, 10, 11, 12, 13, 14]
    assert box.unheard(0.1) == []


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    box = outbox(room=50_000)
    for number in range(100):
        box.on_sent(SESSION, 1 + number * 10, super_packet(10, sequence=number * 10), 0.0)

    kept = sequences(box.unheard(0.0))

    assert kept[-1] == 999
    assert len(kept) * 1000 <= 50_000
