"""The server checks an aggregator: real TLS over the loopback, both ends' real code (6.1)."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone

from openbond.node.agent.checks import CheckDoor
from openbond.node.agent.daemons import Daemons
from openbond.node.identity import keys_of, store_enrolment
from openbond.node.paths import Paths
from openbond.server.control.authority import Authority
from openbond.server.control.probing import probe
from openbond.server.fleet.selectors import Watched
from openbond.wire.checks import CheckQuestion, encode_line
from openbond.wire.config import NodeContent
from openbond.wire.exchange import EnrolAnswer
from openbond.wire.states import NodeKind
from tests.node.samples import bond, far_leg
from tests.node.test_daemons import FakeDaemon

from .live import free_port

T = TypeVar("T")
HOST, NODE_ID = "127.0.0.1", 7


class Site:
    """An aggregator's door for checks, and the server's authority."""

    def __init__(self, root: Path, *, bonds: int = 0, node_id: int = NODE_ID) -> None:
        self.authority = authority_in(root / "server")
        self.paths = Paths(root / "node")
        self.node_id = node_id
        enrol(self.authority, self.paths, node_id)
        self.port = free_port()
        self.daemons = Daemons(self.paths.root, lambda *_: None, lambda *_: None)
        content = aggregator(bonds)
        self.door = CheckDoor(
            self.paths, lambda: node_id, lambda: content, self.daemons, port=self.port, host=HOST
        )

    async def check(self, *, within_s: float = 5.0, authority: Authority | None = None) -> str:
        context = (authority or self.authority).context_for_nodes()
        return await probe(watched(within_s), context, port=self.port)


def watched(within_s: float = 5.0) -> Watched:
    return Watched(
        aggregator_id=NODE_ID,
        name="agg",
        ip=HOST,
        failed=False,
        interval=timedelta(seconds=30),
        timeout=timedelta(seconds=within_s),
        retries=3,
    )


def authority_in(directory: Path) -> Authority:
    directory.mkdir()
    return Authority.open_or_create(directory, now=timezone.now())


def enrol(authority: Authority, paths: Paths, node_id: int) -> None:
    keys = keys_of(paths)
    certificate = authority.node_certificate(
        csr_pem=keys.certificate_request("node"),
        tunnel_key=keys.tunnel.public_key().public_bytes_raw(),
        node_id=node_id,
        now=timezone.now(),
    )
    pem = ssl.DER_cert_to_PEM_cert(certificate.public_bytes(Encoding.DER))
    answer = EnrolAnswer(
        node_id=node_id,
        certificate=pem,
        ca=authority.certificate_pem,
        signer=authority.signer_pem,
    )
    store_enrolment(paths, answer, keys)


def aggregator(bonds: int) -> NodeContent:
    return NodeContent(
        kind=NodeKind.AGGREGATOR,
        name="agg",
        hostname="agg",
        debug=False,
        metric_collection_interval_ms=10_000,
        metric_reporting_interval_ms=60_000,
        bonds=[bond(bond_id, legs=[far_leg()]) for bond_id in range(1, bonds + 1)],
    )


@asynccontextmanager
async def serving(site: Site, running: int = 0) -> AsyncIterator[None]:
    """Open the door, with tunnel daemons of the first `running` bonds."""
    site.paths.run.mkdir(parents=True, exist_ok=True)
    daemons = [
        FakeDaemon(site.paths.run / f"tun{bond_id}.sock") for bond_id in range(1, running + 1)
    ]
    for daemon in daemons:
        await daemon.start()
    site.daemons.attach(range(1, 1 + max(running, 4)))
    try:
        async with site.door.listening():
            yield
    finally:
        await site.daemons.close()
        for daemon in daemons:
            await daemon.die()


def told(site: Site, story: Callable[[], Awaitable[T]], *, running: int = 0) -> T:
    async def run() -> T:
        async with serving(site, running):
            return await story()

    return asyncio.run(run())


def test_an_aggregator_that_serves_its_bonds_answers(tmp_path: Path) -> None:
    site = Site(tmp_path, bonds=2)

    assert told(site, site.check, running=2) == ""


def test_an_aggregator_without_bonds_answers(tmp_path: Path) -> None:
    site = Site(tmp_path)

    assert told(site, site.check) == ""


def test_one_bond_whose_daemon_does_not_run_is_no_miss(tmp_path: Path) -> None:
    site = Site(tmp_path, bonds=3)

    assert told(site, site.check, running=2) == ""


def test_an_aggregator_whose_daemons_cannot_run_says_so(tmp_path: Path) -> None:
    site = Site(tmp_path, bonds=3)

    fault = told(site, site.check, running=1)

    assert fault == "It serves 1 of its 3 bonds: tunnel daemons do not run."


def test_a_machine_that_is_off_is_a_miss(tmp_path: Path) -> None:
    site = Site(tmp_path)

    fault = asyncio.run(site.check())

    assert fault.startswith("No connection, or no answer: ")


def test_another_node_at_the_address_is_a_miss(tmp_path: Path) -> None:
    site = Site(tmp_path, node_id=8)

    assert told(site, site.check) == "Another node answers at 127.0.0.1: node 8."


def test_a_node_of_another_authority_is_a_miss(tmp_path: Path) -> None:
    site = Site(tmp_path)
    other = authority_in(tmp_path / "other")

    fault = told(site, lambda: site.check(authority=other))

    assert fault.startswith("Its certificate is not of the private CA")


def test_an_aggregator_that_hangs_is_a_miss_in_time(tmp_path: Path) -> None:
    site = Site(tmp_path)

    async def hanging() -> str:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                writer.close()

        server = await asyncio.start_server(silent, HOST, site.port)
        async with server:
            return await site.check(within_s=0.3)

    assert asyncio.run(hanging()) == "No answer within 0.3 s."


def test_only_the_server_is_answered(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bonder = Paths(tmp_path / "bonder")
    enrol(site.authority, bonder, 9)

    async def ask_as_bonder() -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(bonder.ca)
        context.load_cert_chain(bonder.certificate, bonder.identity_key)
        reader, writer = await asyncio.open_connection(HOST, site.port, ssl=context)
        writer.write(encode_line(CheckQuestion(within_ms=1000)))
        answer = await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return answer

    assert told(site, ask_as_bonder) == b""


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[1]\n", b"x" * 10_000, b"\xff\xfe\n", b""])
def test_nonsense_is_not_answered_and_harms_nothing(tmp_path: Path, line: bytes) -> None:
    site = Site(tmp_path)

    async def story() -> tuple[bytes, str]:
        context = site.authority.context_for_nodes()
        reader, writer = await asyncio.open_connection(HOST, site.port, ssl=context)
        writer.write(line)
        await writer.drain()
        if not line:
            writer.close()
            return b"", await site.check()
        answer = await reader.read()
        writer.close()
        return answer, await site.check()

    assert told(site, story) == (b"", "")


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    site = Site(tmp_path)

    async def story() -> tuple[str, str]:
        running = asyncio.create_task(site.door.run())
        while before := await site.check():
            await asyncio.sleep(0.05)
        enrol(site.authority, site.paths, NODE_ID)
        await asyncio.sleep(1.2)
        while after := await site.check():
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return before, after

    assert asyncio.run(asyncio.wait_for(story(), 30)) == ("", "")
