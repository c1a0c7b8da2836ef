"""Which class a packet falls into (behaviour 5.10)."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from openbond.tunnel.classify import Classifier, Facts, facts_of, matches
from openbond.tunnel.packets import TCP, UDP, VNET_SIZE
from openbond.tunnel.settings import Qos, QosClass, QosFilter
from tests.tunnel.inner import (
    ipv4,
    ipv6,
    plain_read,
    small_udp,
    super_tcp,
    tcp_header,
    tcp_packet,
    udp_header,
)

REAL_TIME, INTERACTIVE, ROUTINE, BULK = range(4)
CLASSES = tuple(QosClass(share=share) for share in (0.4, 0.2, 0.2, 0.2))
# As the default profile of an installation.
FILTERS = (
    QosFilter(target=REAL_TIME, protocols=frozenset((1, 58)), max_packet_size=500),
    QosFilter(target=REAL_TIME, protocols=frozenset((UDP,)), ports=((5060, 5061),)),
    QosFilter(target=REAL_TIME, dscp=46),
    QosFilter(target=INTERACTIVE, protocols=frozenset((UDP,)), ports=((53, 53),)),
    QosFilter(
        target=INTERACTIVE, protocols=frozenset((TCP,)), ports=((22, 22),), max_packet_rate=20
    ),
    QosFilter(target=INTERACTIVE, tcp_ack=True),
    QosFilter(target=BULK, protocols=frozenset((TCP,)), ports=((443, 443),), min_flow_size=10**6),
)
QOS = Qos(classes=CLASSES, default=ROUTINE, filters=FILTERS)


def class_of(packet: bytes, *, now: float = 0.0, classifier: Classifier | None = None) -> int:
    classifier = classifier or Classifier(QOS, has_vnet_header=True)
    return classifier.class_of(plain_read(packet), now)


def with_dscp(packet: bytes, dscp: int) -> bytes:
    return packet[:1] + bytes((dscp << 2,)) + packet[2:]


@pytest.mark.parametrize(
    ("packet", "found"),
    [
        pytest.param(ipv4(1, bytes(64)), REAL_TIME, id="a ping"),
        pytest.param(ipv6(58, bytes(64)), REAL_TIME, id="a ping over IPv6"),
        pytest.param(ipv4(1, bytes(800)), ROUTINE, id="a large ping"),
        pytest.param(small_udp(200, port=5060), REAL_TIME, id="SIP"),
        pytest.param(small_udp(200, port=53), INTERACTIVE, id="DNS"),
        pytest.param(small_udp(200, port=123), ROUTINE, id="another port"),
        pytest.param(with_dscp(small_udp(200, port=123), 46), REAL_TIME, id="EF"),
        pytest.param(tcp_packet(0), INTERACTIVE, id="a bare ACK"),
        pytest.param(tcp_packet(0, flags=0x12), ROUTINE, id="SYN and ACK"),
        pytest.param(tcp_packet(100), ROUTINE, id="TCP with data"),
        pytest.param(ipv4(47, bytes(100)), ROUTINE, id="GRE"),
        pytest.param(b"\x45", ROUTINE, id="no IP packet"),
    ],
)
def test_the_first_filter_that_matches_decides(packet: bytes, found: int) -> None:
    assert class_of(packet) == found


def test_a_flow_falls_into_another_class_once_it_is_large() -> None:
    classifier = Classifier(QOS, has_vnet_header=True)

    found = [classifier.class_of(super_tcp(50_000, 1368), 0.0) for _ in range(25)]

    assert found == [ROUTINE] * 20 + [BULK] * 5


def ssh(size: int = 100) -> bytes:
    return ipv4(TCP, (22).to_bytes(2, "big") + tcp_header()[2:] + bytes(size))


def test_what_is_above_a_flows_packet_rate_does_not_match_and_what_is_within_does() -> None:
    classifier = Classifier(QOS, has_vnet_header=True)

    fast = [class_of(ssh(), now=n * 0.01, classifier=classifier) for n in range(300)]
    slow = [class_of(ssh(), now=20 + n * 0.1, classifier=classifier) for n in range(20)]

    # A burst of one second's worth, then 20 of the 100 packets of each second.
    assert fast[:20] == [INTERACTIVE] * 20
    assert fast[100:].count(INTERACTIVE) == pytest.approx(40, abs=2)
    assert set(fast[100:]) == {INTERACTIVE, ROUTINE}
    assert set(slow) == {INTERACTIVE}


def test_each_flow_has_a_rate_of_its_own() -> None:
    classifier = Classifier(QOS, has_vnet_header=True)
    others = [ssh()[:22] + bytes((200, n)) + ssh()[24:] for n in range(40)]

    assert {class_of(packet, classifier=classifier) for packet in others} == {INTERACTIVE}


def test_a_flow_ends_after_two_minutes_of_silence_or_with_a_new_connection() -> None:
    classifier = Classifier(QOS, has_vnet_header=True)
    read = super_tcp(50_000, 1368)
    for _ in range(25):
        last = classifier.class_of(read, 0.0)
    assert last == BULK

    assert classifier.class_of(read, 119.0) == BULK
    assert classifier.class_of(read, 240.0) == ROUTINE

    for _ in range(25):
        last = classifier.class_of(read, 241.0)
    assert last == BULK
    syn = ipv4(TCP, read[VNET_SIZE + 20 : VNET_SIZE + 24] + tcp_header(flags=0x02)[4:])
    classifier.class_of(plain_read(syn), 242.0)
    assert classifier.class_of(read, 242.1) == ROUTINE


@pytest.mark.parametrize(
    ("first", "later"),
    [
        pytest.param(
            ipv4(UDP, udp_header(1000, port=5060) + bytes(900), fragment=0x2000),
            ipv4(UDP, bytes(100), fragment=0x0071),
            id="IPv4",
        ),
        pytest.param(
            ipv6(44, bytes((UDP, 0, 0, 1)) + b"SAME" + udp_header(1000, port=5060) + bytes(900)),
            ipv6(44, bytes((UDP, 0, 3, 0x88)) + b"SAME" + bytes(100)),
            id="IPv6",
        ),
    ],
)
def test_later_fragments_fall_where_the_first_one_fell(first: bytes, later: bytes) -> None:
    classifier = Classifier(QOS, has_vnet_header=True)

    assert class_of(later, classifier=classifier) == ROUTINE
    assert class_of(first, classifier=classifier) == REAL_TIME
    assert class_of(later, classifier=classifier) == REAL_TIME


UDP_FACTS = Facts(
    version=4,
    protocol=UDP,
    source=int.from_bytes(bytes((192, 0, 2, 1)), "big"),
    destination=int.from_bytes(bytes((198, 51, 100, 2)), "big"),
    ports=(40000, 53),
    dscp=0,
    size=300,
    is_tcp_ack=False,
)


@pytest.mark.parametrize(
    ("wanted", "is_met"),
    [
        (QosFilter(target=0), True),
        (QosFilter(target=0, ip_version=4), True),
        (QosFilter(target=0, ip_version=6), False),
        (QosFilter(target=0, protocols=frozenset((TCP,))), False),
        (QosFilter(target=0, ports=((1, 52), (53, 60))), True),
        (QosFilter(target=0, ports=((40000, 40000),)), True),
        (QosFilter(target=0, ports=((54, 39999),)), False),
        (QosFilter(target=0, network=ip_network("192.0.2.0/24")), True),
        (QosFilter(target=0, network=ip_network("198.51.100.2/32")), True),
        (QosFilter(target=0, network=ip_network("203.0.113.0/24")), False),
        (QosFilter(target=0, network=ip_network("::/0")), False),
        (QosFilter(target=0, network=ip_network("0.0.0.0/0")), True),
        (QosFilter(target=0, min_packet_size=300, max_packet_size=300), True),
        (QosFilter(target=0, min_packet_size=301), False),
        (QosFilter(target=0, max_packet_size=299), False),
        (QosFilter(target=0, tcp_ack=True), False),
    ],
)
def test_all_conditions_of_a_filter_must_be_met(wanted: QosFilter, is_met: bool) -> None:
    assert matches(wanted, UDP_FACTS) is is_met


def test_the_size_of_the_flow_so_far_is_at_least_and_less_than() -> None:
    wanted = QosFilter(target=0, min_flow_size=500, max_flow_size=1000)

    met = [matches(wanted, UDP_FACTS._replace(flow_size=size)) for size in (499, 500, 999, 1000)]

    assert met == [False, True, True, False]


def test_a_later_fragment_has_no_ports() -> None:
    facts = facts_of(ipv4(UDP, bytes(100), fragment=0x0010))

    assert facts is not None
    assert facts.ports is None


def test_a_super_packet_is_as_large_as_the_packets_it_is_cut_into() -> None:
    only_large = replace(QOS, filters=(QosFilter(target=BULK, min_packet_size=1421),))
    classifier = Classifier(only_large, has_vnet_header=True)

    # 20 octets of IPv4, 32 of TCP with its options.
    assert classifier.class_of(super_tcp(14_000, 1368), 0.0) == ROUTINE
    assert classifier.class_of(super_tcp(14_000, 1369), 0.0) == BULK


def test_reads_are_sorted_by_class_and_keep_their_order() -> None:
    classifier = Classifier(QOS, has_vnet_header=False)
    first, second = small_udp(200, port=53, seed=1), small_udp(200, port=53, seed=2)
    ping, other = ipv4(1, bytes(64)), small_udp(200, port=1)

    assert classifier.sort([first, other, ping, second], 0.0) == [
        (REAL_TIME, [ping]),
        (INTERACTIVE, [first, second]),
        (ROUTINE, [other]),
    ]


def test_no_bytes_make_classifying_fail() -> None:
    whole = plain_read(tcp_packet(30))
    for size in range(VNET_SIZE, len(whole)):
        Classifier(QOS, has_vnet_header=True).class_of(whole[:size], 0.0)
