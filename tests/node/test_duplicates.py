"""The duplicate-address check of static legs: frames of RFC 5227, and when the network is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

import pytest

from openbond.node.agent.duplicates import Duplicates
from openbond.node.linux.arp import ArpPacket, claims, probe, read_arp
from openbond.node.plan.values import Link, Observed
from openbond.wire.config import NodeContent
from openbond.wire.reports import Problem
from openbond.wire.states import LinkMode
from tests.node.samples import bond, bonder, dhcp_leg, static_leg
from tests.node.virtual_time import run_virtually

OURS, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("0200000000ff")
ADDRESS, ELSE = IPv4Address("192.0.2.2"), IPv4Address("192.0.2.9")
NOBODY = IPv4Address(0)
REQUEST, REPLY = 1, 2


def test_a_probe_is_the_frame_of_rfc_5227() -> None:
    assert probe(OURS, ADDRESS).hex(" ", 2) == (
        "ffff ffff ffff 0200 0000 0001 0806 "  # to all, from us, ARP
        "0001 0800 0604 0001 "  # Ethernet, IPv4, a request
        "0200 0000 0001 0000 0000 "  # our hardware address, no sender address
        "0000 0000 0000 c000 0202"  # nobody's, the address in question
    )


def test_a_frame_is_read_as_it_was_written() -> None:
    assert read_arp(probe(OURS, ADDRESS)) == ArpPacket(REQUEST, OURS, NOBODY, ADDRESS)


@pytest.mark.parametrize("frame", [b"", bytes(20), bytes(60), probe(OURS, ADDRESS)[:-1]])
def test_rubbish_is_no_arp_packet(frame: bytes) -> None:
    assert read_arp(frame) is None


@pytest.mark.parametrize(
    ("packet", "is_claim"),
    [
        pytest.param(ArpPacket(REPLY, OTHER, ADDRESS, NOBODY), True, id="an answer"),
        pytest.param(ArpPacket(REQUEST, OTHER, ADDRESS, ELSE), True, id="the other at work"),
        pytest.param(ArpPacket(REQUEST, OTHER, NOBODY, ADDRESS), True, id="the other's probe"),
        pytest.param(ArpPacket(REQUEST, OURS, NOBODY, ADDRESS), False, id="our own probe"),
        pytest.param(ArpPacket(REQUEST, OTHER, ELSE, ADDRESS), False, id="somebody asks for us"),
        pytest.param(ArpPacket(REPLY, OTHER, ELSE, ADDRESS), False, id="another address"),
    ],
)
def test_who_uses_the_address(packet: ArpPacket, is_claim: bool) -> None:
    assert claims(packet, ADDRESS, OURS) is is_claim


# -------------------------------------------------------------------------------- when it is asked


class Network:
    """What a node sees, and who has which address on it."""

    def __init__(self) -> None:
        self.content: NodeContent | None = bonder(bond(legs=[static_leg(21, "eth1"), dhcp_leg(22)]))
        self.links = {"eth1": True, "eth2": True}
        self.others: dict[str, str] = {}
        self.refuses = False
        self.asked: list[str] = []
        self.noted: list[str] = []

    def observed(self) -> Observed:
        links = self.links.items()
        return Observed(
            links={name: Link(name, up=True, carrier=on, mtu=1500) for name, on in links}
        )

    async def find(self, interface: str, address: IPv4Address) -> str | None:
        self.asked.append(f"{interface} {address}")
        if self.refuses:
            raise OSError(1, "Operation not permitted")
        await asyncio.sleep(6)
        return self.others.get(str(address))

    def live(self, story: Callable[[Duplicates], Awaitable[None]]) -> None:
        async def life() -> None:
            check = Duplicates(
                lambda: self.content,
                self.observed,
                lambda about, text: self.noted.append(f"{about}: {text}"),
                self.find,
            )
            running = asyncio.create_task(check.run())
            await story(check)
            running.cancel()

        run_virtually(life())


WORDS = "address 192.0.2.2 is in use by 02:00:00:00:00:ff too: give one of the two another"


def test_a_free_address_is_asked_about_once_and_then_seldom() -> None:
    network = Network()

    async def story(check: Duplicates) -> None:
        await asyncio.sleep(800)
        assert check.warning_list() == []

    network.live(story)

    assert network.asked == ["eth1 192.0.2.2"]
    assert network.noted == []


def test_an_address_in_use_is_a_warning_and_reported_once_until_it_is_free() -> None:
    network = Network()
    network.others["192.0.2.2"] = "02:00:00:00:00:ff"

    async def story(check: Duplicates) -> None:
        await asyncio.sleep(300)
        assert check.warning_list() == [Problem(about="leg 21", text=WORDS)]
        network.others.clear()
        await asyncio.sleep(100)
        assert check.warning_list() == []

    network.live(story)

    assert network.noted == [f"leg 21: {WORDS}"]


def test_a_leg_that_gets_its_carrier_back_asks_again() -> None:
    network = Network()

    async def story(_: Duplicates) -> None:
        await asyncio.sleep(60)
        network.links["eth1"] = False
        await asyncio.sleep(60)
        network.links["eth1"] = True
        await asyncio.sleep(60)

    network.live(story)

    assert network.asked == ["eth1 192.0.2.2"] * 2


def test_an_offline_leg_asks_nobody() -> None:
    network = Network()
    network.content = bonder(bond(legs=[static_leg(21, "eth1", mode=LinkMode.OFFLINE)]))

    async def story(_: Duplicates) -> None:
        await asyncio.sleep(60)

    network.live(story)

    assert network.asked == []


def test_an_interface_that_cannot_be_asked_stops_nothing() -> None:
    network = Network()
    network.refuses = True

    async def story(check: Duplicates) -> None:
        await asyncio.sleep(1000)
        assert check.warning_list() == []

    network.live(story)

    assert network.asked == ["eth1 192.0.2.2"] * 2
