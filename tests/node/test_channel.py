"""The management channel against a server that checks what the real one checks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from openbond.node.channel import trust
from openbond.node.channel.addresses import ServerAddresses
from openbond.node.channel.client import Channel, Transport
from openbond.node.channel.enrol import enrol, fetch_authority
from openbond.node.channel.numbers import RisingNumbers
from openbond.node.channel.ways import BY_OWN_ROUTING, Way
from openbond.node.errors import (
    ClockWrong,
    NodeKeyRefused,
    ServerNotTrusted,
    ServerRefused,
    ServerUnreachable,
)
from openbond.node.identity import fingerprint, load_identity
from openbond.node.paths import Paths
from openbond.node.settings import ServerAddress
from openbond.wire import exchange
from openbond.wire.exchange import ErrorCode, PollRequest, PollStatus, ReportRequest
from openbond.wire.reports import BondRates
from tests.node.authority import Authority
from tests.node.fake_server import FakeNode, FakeServer, Refused
from tests.node.samples import bond, bonder, static_leg

T = TypeVar("T")
KEY = "NODE-KEY-7"
NOTHING_YET = PollRequest(revision=0, hash="", software_version="1", wait_ms=0)
# Loopback answers at every address of 127.0.0.0/8: each stands for a leg.
LEG_1, LEG_2 = Way(1, source="127.0.1.1"), Way(2, source="127.0.1.2")
# From here no packet reaches 127.0.0.1: the address is not on this machine.
DEAD_LEG = Way(3, source="192.0.2.77")


@dataclass
class Site:
    """A machine at a site, and its server."""

    server: FakeServer
    node: FakeNode
    paths: Paths
    silent: set[int] = field(default_factory=set)
    moved: list[int] = field(default_factory=list)  # octets, on mobile legs

    @property
    def address(self) -> ServerAddress:
        return ServerAddress(self.server.address, self.server.port)

    async def enrol(self, key: str = KEY, ca_pem: str | None = None) -> None:
        ca = ca_pem or self.server.authority.ca_pem
        await enrol(self.paths, self.address, key, ca_pem=ca)

    def talk(
        self,
        work: Callable[[Channel], Awaitable[T]],
        *,
        ways: Sequence[Way] = (BY_OWN_ROUTING,),
        enrolled: bool = True,
    ) -> T:
        """Run a conversation over the channel of an enrolled node."""
        return asyncio.run(self._talk(work, ways, enrolled))

    async def _talk(
        self, work: Callable[[Channel], Awaitable[T]], ways: Sequence[Way], enrolled: bool
    ) -> T:
        if enrolled:
            await self.enrol()
        transport = Transport(
            self.address,
            trust.checked(self.server.authority.ca_pem),
            ways=lambda: ways,
            addresses=ServerAddresses(self.paths.addresses),
            silent=lambda: self.silent,
            moved_on_mobile=self.moved.append,
        )
        numbers = RisingNumbers(self.paths.numbers)
        try:
            return await work(Channel(transport, load_identity(self.paths), numbers))
        finally:
            await transport.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = FakeServer()
    server.start()
    yield Site(server, server.add_node(KEY), Paths(tmp_path))
    server.stop()


# -------------------------------------------------------------------------------------- enrolment


def test_a_machine_with_the_node_key_becomes_the_node(site: Site) -> None:
    asyncio.run(site.enrol())

    identity = load_identity(site.paths)
    assert identity.node_id == 7
    assert identity.certificate.public_key() == identity.keys.identity.public_key()


def test_private_keys_are_readable_by_their_owner_alone(site: Site) -> None:
    asyncio.run(site.enrol())

    modes = {site.paths.identity_key.stat().st_mode, site.paths.tunnel_key.stat().st_mode}
    assert {mode & 0o777 for mode in modes} == {0o600}


def test_enrolling_twice_is_harmless_and_keeps_the_keys(site: Site) -> None:
    asyncio.run(site.enrol())
    keys = site.paths.identity_key.read_bytes()

    asyncio.run(site.enrol())

    assert site.paths.identity_key.read_bytes() == keys
    assert site.talk(lambda channel: channel.poll(NOTHING_YET), enrolled=False)


def test_an_unknown_node_key_says_where_to_find_the_right_one(site: Site) -> None:
    with pytest.raises(NodeKeyRefused, match="Copy the node key again from the page of the bond"):
        asyncio.run(site.enrol("WRONG"))

    assert not site.paths.certificate.exists()


def test_a_server_of_another_authority_is_not_told_the_node_key(site: Site) -> None:
    with pytest.raises(ServerNotTrusted, match="comes from an authority this node does not know"):
        asyncio.run(site.enrol(ca_pem=Authority().ca_pem))

    assert site.server.sources == []


def test_a_ca_file_that_is_none_is_named(site: Site) -> None:
    with pytest.raises(ServerNotTrusted, match="holds no PEM certificate"):
        asyncio.run(site.enrol(ca_pem="hello"))


def test_nobody_listening_says_what_to_check(site: Site) -> None:
    site.server.stop()

    with pytest.raises(ServerUnreachable, match="check the address, the port"):
        asyncio.run(site.enrol())


@pytest.mark.parametrize(
    ("start", "words"),
    [
        pytest.param(timedelta(days=1), "not valid yet, and the clocks agree", id="made tomorrow"),
        pytest.param(timedelta(days=-60), "expired, and the clocks agree", id="expired"),
    ],
)
def test_a_servers_certificate_out_of_time_is_told_from_a_wrong_clock(
    tmp_path: Path, start: timedelta, words: str
) -> None:
    authority = Authority()
    server = FakeServer(authority)
    server.start(certificate=authority.server_certificate("127.0.0.1", start=start))
    site = Site(server, server.add_node(KEY), Paths(tmp_path))

    with pytest.raises(ServerNotTrusted, match=words):
        asyncio.run(site.enrol())
    server.stop()


def test_a_clock_off_by_a_day_is_said_and_how_to_set_it(tmp_path: Path) -> None:
    # The server lives a day after us: its certificate begins in our future, its clock agrees.
    authority = Authority()
    server = FakeServer(authority, clock_ahead=timedelta(days=1))
    begins = timedelta(hours=23)
    server.start(certificate=authority.server_certificate("127.0.0.1", start=begins))
    site = Site(server, server.add_node(KEY), Paths(tmp_path))

    with pytest.raises(ClockWrong, match=r"is 24 h behind the server's .* set the clock"):
        asyncio.run(site.enrol())
    server.stop()


def test_the_authority_is_fetched_by_its_fingerprint(site: Site) -> None:
    wanted = fingerprint(site.server.authority.certificate)
    with_colons = ":".join(wanted[i : i + 2] for i in range(0, 64, 2)).upper()

    found = asyncio.run(fetch_authority(site.paths, site.address, with_colons))

    assert found == site.server.authority.ca_pem


def test_another_fingerprint_is_refused(site: Site) -> None:
    wanted = fingerprint(Authority().certificate)

    with pytest.raises(ServerNotTrusted, match="do not enrol if they differ"):
        asyncio.run(fetch_authority(site.paths, site.address, wanted))


def test_what_is_no_fingerprint_is_refused(site: Site) -> None:
    with pytest.raises(ServerNotTrusted, match="give 64 hexadecimal digits"):
        asyncio.run(fetch_authority(site.paths, site.address, "abc"))


# ---------------------------------------------------------------------------------- the exchanges


def test_a_poll_brings_the_config(site: Site) -> None:
    config = site.server.publish(site.node, bonder(bond(legs=[static_leg()])))

    answer = site.talk(lambda channel: channel.poll(NOTHING_YET))

    assert answer.status is PollStatus.CONFIG
    assert answer.envelope == config.envelope


def test_a_poll_that_has_the_newest_waits_and_brings_nothing(site: Site) -> None:
    config = site.server.publish(site.node, bonder())
    newest = PollRequest(revision=1, hash=config.envelope.hash, software_version="1", wait_ms=100)

    assert site.talk(lambda channel: channel.poll(newest)).status is PollStatus.NOTHING


def test_reports_are_taken_once(site: Site) -> None:
    report = BondRates(number=1, at_ms=0, bond_id=7, download_bps=1, upload_bps=1)
    request = ReportRequest(sent_at_ms=0, reports=[report])

    async def twice(channel: Channel) -> int:
        await channel.report(request)
        return (await channel.report(request)).taken

    assert site.talk(twice) == 1
    assert site.node.reports == [report]


def test_a_node_that_was_set_back_continues_above_what_the_server_saw(site: Site) -> None:
    async def set_back(channel: Channel) -> PollStatus:
        site.node.numbers[exchange.POLL] = 50_000
        with pytest.raises(ServerRefused) as refused:
            await channel.poll(NOTHING_YET)
        assert refused.value.code == ErrorCode.REPLAYED_NUMBER
        return (await channel.poll(NOTHING_YET)).status

    assert site.talk(set_back) is PollStatus.NOTHING


def test_a_restarted_node_uses_no_number_twice(site: Site) -> None:
    poll = lambda channel: channel.poll(NOTHING_YET)  # noqa: E731 - said twice below
    site.talk(poll)
    first = site.node.numbers[exchange.POLL]

    site.node.numbers[exchange.POLL] = first
    site.talk(poll, enrolled=False)

    assert site.node.numbers[exchange.POLL] > first


def test_a_refusal_is_the_servers_own_words(site: Site) -> None:
    async def refused(channel: Channel) -> ServerRefused:
        site.server.refusals.append(Refused(410, ErrorCode.UNKNOWN_NODE))
        with pytest.raises(ServerRefused) as caught:
            await channel.poll(NOTHING_YET)
        return caught.value

    error = site.talk(refused)

    assert (error.status, error.code, error.is_ours) == (410, "unknown_node", True)


# --------------------------------------------------------------------------------------- the legs


def test_each_leg_speaks_from_its_own_address(site: Site) -> None:
    for way in (LEG_1, LEG_2):
        site.talk(lambda channel: channel.poll(NOTHING_YET), ways=[way])

    assert site.server.sources[1::2] == ["127.0.1.1", "127.0.1.2"]


def test_the_channel_works_over_each_leg_alone(site: Site) -> None:
    answer = site.talk(lambda channel: channel.poll(NOTHING_YET), ways=[DEAD_LEG, LEG_2])

    assert answer.status is PollStatus.NOTHING
    assert site.server.sources[-1] == "127.0.1.2"


def test_the_leg_that_worked_last_is_tried_first(site: Site) -> None:
    async def remember(channel: Channel) -> int | None:
        await channel.poll(NOTHING_YET)
        return channel.transport.last_success

    assert site.talk(remember, ways=[DEAD_LEG, LEG_2]) == 2


def test_without_any_leg_the_sentence_says_what_to_check(site: Site) -> None:
    asyncio.run(site.enrol())

    with pytest.raises(ServerUnreachable, match="No leg has an address yet"):
        site.talk(lambda channel: channel.poll(NOTHING_YET), ways=[], enrolled=False)


def polls_twice(site: Site, happens: Callable[[Channel], None]) -> PollStatus:
    """Let a poll wait on leg 1, let something happen, and answer the poll made again for it."""
    waiting = PollRequest(revision=0, hash="", software_version="1", wait_ms=30_000)

    async def story(channel: Channel) -> PollStatus:
        poll = asyncio.create_task(channel.poll(waiting))
        await asyncio.to_thread(site.server.wait_for, lambda: len(site.node.polls) == 1)
        happens(channel)
        await asyncio.to_thread(site.server.wait_for, lambda: len(site.node.polls) == 2)
        site.server.publish(site.node, bonder())
        return (await poll).status

    return site.talk(story, ways=[LEG_1, LEG_2])


def test_a_poll_that_waits_on_a_dead_leg_goes_on_by_the_next(site: Site) -> None:
    def cut(channel: Channel) -> None:
        channel.transport.way_lost(1)

    assert polls_twice(site, cut) is PollStatus.CONFIG
    assert site.server.sources[-2:] == ["127.0.1.1", "127.0.1.2"]


def test_what_waits_on_a_silent_leg_goes_on_by_one_that_is_heard_again(site: Site) -> None:
    def come_back(channel: Channel) -> None:
        site.silent = {1}
        channel.transport.way_back(2)

    assert polls_twice(site, come_back) is PollStatus.CONFIG
    assert site.server.sources[-2:] == ["127.0.1.1", "127.0.1.2"]


def test_what_waits_on_a_leg_that_is_heard_stays_when_another_comes_back(site: Site) -> None:
    waiting = PollRequest(revision=0, hash="", software_version="1", wait_ms=30_000)

    async def come_back(channel: Channel) -> PollStatus:
        poll = asyncio.create_task(channel.poll(waiting))
        await asyncio.to_thread(site.server.wait_for, lambda: len(site.node.polls) == 1)
        channel.transport.way_back(2)
        site.server.publish(site.node, bonder())
        return (await poll).status

    assert site.talk(come_back, ways=[LEG_1, LEG_2]) is PollStatus.CONFIG
    assert len(site.node.polls) == 1


def test_a_leg_that_changed_its_address_is_a_new_way(site: Site) -> None:
    ways = [LEG_1]

    async def move(channel: Channel) -> None:
        await channel.poll(NOTHING_YET)
        ways[0] = Way(1, source="127.0.1.9")
        await channel.poll(NOTHING_YET)

    site.talk(move, ways=ways)

    assert site.server.sources[-2:] == ["127.0.1.1", "127.0.1.9"]


def test_what_the_channel_moves_on_a_mobile_leg_is_counted_and_nothing_else(site: Site) -> None:
    async def work(channel: Channel) -> bool:
        await channel.poll(NOTHING_YET)
        await channel.poll(NOTHING_YET)
        return channel.transport.is_on_mobile

    mobile = replace(LEG_1, is_mobile=True)
    on_cable = site.talk(work, ways=[mobile, LEG_2])
    before = list(site.moved)
    on_mobile = site.talk(work, ways=[mobile], enrolled=False)

    assert (on_cable, before) == (False, [])
    assert on_mobile
    first, second = site.moved
    # The first with the handshake of TLS and its certificates, over the same connection.
    assert first > second > 500
