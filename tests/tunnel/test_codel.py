"""When a standing queue loses a packet (RFC 8289), and when it is marked instead (RFC 3168)."""

from itertools import pairwise

from openbond.tunnel import ecn
from openbond.tunnel.codel import INTERVAL, TARGET, CoDel, Patience
from openbond.tunnel.messages import Type
from openbond.tunnel.parcels import Parcel
from tests.tunnel.inner import ipv4, ipv6, is_right, small_udp, tcp_header, tcp_packet

LONG = 100_000  # octets: more than one packet


def drops(codel: CoDel, *, seconds: float, sojourn: float, begin: float = 0.0) -> list[float]:
    """Return when packets are dropped while every packet has waited so long."""
    moments = [begin + number * 0.001 for number in range(round(seconds * 1000))]
    return [now for now in moments if codel.is_to_drop(sojourn, LONG, now)]


def test_a_queue_under_the_target_loses_nothing() -> None:
    assert drops(CoDel(Patience()), seconds=5.0, sojourn=TARGET * 0.99) == []


def test_a_burst_that_is_gone_within_an_interval_loses_nothing() -> None:
    codel = CoDel(Patience())

    assert drops(codel, seconds=INTERVAL * 0.9, sojourn=0.150) == []
    assert drops(codel, seconds=1.0, sojourn=0.001, begin=INTERVAL) == []


def test_a_standing_queue_loses_packets_ever_faster() -> None:
    dropped = drops(CoDel(Patience()), seconds=2.0, sojourn=0.050)

    pauses = [later - earlier for earlier, later in pairwise(dropped)]
    assert dropped[0] >= INTERVAL
    assert pauses[0] > pauses[5] > pauses[15]


def test_legs_that_differ_may_have_longer_queues() -> None:
    patience = Patience()
    patience.set_delta(0.025)

    assert drops(CoDel(patience), seconds=5.0, sojourn=TARGET + 0.024) == []
    assert drops(CoDel(patience), seconds=5.0, sojourn=TARGET + 0.026)[0] > INTERVAL


def test_one_packet_is_no_standing_queue() -> None:
    codel = CoDel(Patience())

    assert not any(codel.is_to_drop(0.5, 1514, now * 0.01) for now in range(100))


def test_who_starts_again_soon_goes_on_at_the_rate_that_was_needed() -> None:
    codel = CoDel(Patience())
    first = drops(codel, seconds=1.0, sojourn=0.050)
    codel.is_to_drop(0.0, LONG, 1.0)

    again = drops(codel, seconds=INTERVAL * 2, sojourn=0.050, begin=1.001)

    assert len(again) > len([at for at in first if at < INTERVAL * 2])


# -- marks ----------------------------------------------------------------------------------------


def packet(octets: bytes) -> Parcel:
    return Parcel(Type.PACKET, 1, 7, octets)


def capable(octets: bytes) -> bytes:
    """Return an IPv4 packet with ECT(0), checksum right."""
    first = bytearray(octets)
    first[1] |= 2
    header = ipv4(first[9], b"")  # for its shape only
    assert len(header) == 20
    first[10:12] = b"\0\0"
    total = sum(int.from_bytes(first[at : at + 2], "big") for at in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    first[10:12] = (total ^ 0xFFFF).to_bytes(2, "big")
    return bytes(first)


def test_a_packet_whose_ends_know_marks_is_marked_and_stays_right() -> None:
    plain = capable(tcp_packet(1000))
    assert is_right(plain)

    found = ecn.marked(packet(plain))

    assert found is not None
    assert found.body[1] & 3 == 3
    assert is_right(found.body)
    assert found.body[20:] == plain[20:]


def test_an_ipv6_packet_is_marked_across_its_first_octets() -> None:
    plain = bytearray(ipv6(6, tcp_header() + bytes(100)))
    plain[1] |= 0x10  # ECT(1)

    found = ecn.marked(packet(bytes(plain)))

    assert found is not None
    assert found.body[1] >> 4 & 3 == 3
    assert found.body[0] == plain[0]


def test_a_packet_whose_ends_know_no_marks_is_not_marked() -> None:
    assert ecn.marked(packet(small_udp(100))) is None
    assert ecn.marked(packet(ipv6(6, tcp_header()))) is None


def test_of_a_super_packet_one_slice_is_marked() -> None:
    whole = capable(tcp_packet(4000))
    parcel = Parcel(
        Type.SEGMENT, 1, 7, whole, headers=whole[:40], origin=40, begin=40, end=4040, step=1000
    )

    found = ecn.marked(parcel)

    assert found is not None
    assert (found.count, found.sequence) == (1, 7)
    assert found.headers[1] & 3 == 3
    assert parcel.headers[1] & 3 == 2
