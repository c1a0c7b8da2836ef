"""Simulated nodes against a real server: enrolled, polls held, reports stored, changes fetched."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from openbond.lab.errors import LabError
from openbond.lab.simulated.connection import read_answer
from openbond.lab.simulated.fleet import Fleet, server_at
from openbond.lab.simulated.run import make_fleet
from openbond.wire.exchange import ENROL, HEADER_NODE_KEY
from tests.control.live import LiveServer
from tests.control.machine import Machine

NODES = 12
PATIENCE = 120

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "state")
    live.start()
    yield live
    live.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.05)


async def play(fleet: Fleet) -> None:
    """Play until every node has been heard, and one has learned of a change."""
    async with fleet.running(ramp=0.5):
        await until(lambda: fleet.is_whole)
        await until(lambda: fleet.seen.reports >= NODES)
        changing = asyncio.create_task(fleet.change(pause=0.2))
        await until(lambda: fleet.changes.taken)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


def test_a_fleet_is_served_and_learns_what_changes(server: LiveServer) -> None:
    roster = make_fleet(server.state, NODES)
    again = make_fleet(server.state, NODES)
    address = server_at(server.url, server.state / "ca" / "ca.pem")
    fleet = Fleet(again, address, interval=2.0)

    asyncio.run(play(fleet))

    assert (roster.seed, len(roster.members)) == (again.seed, NODES)
    assert not fleet.seen.failures
    assert not fleet.changes.failures


def test_no_fleet_is_made_where_real_nodes_are_served(server: LiveServer) -> None:
    key = server.populate("bond")["bonder"]
    body = msgspec.json.encode(Machine().enrol_request())
    with server.client() as client:
        enrolled = client.post(ENROL, content=body, headers={HEADER_NODE_KEY: key})
    assert enrolled.status_code == 200

    with pytest.raises(LabError, match="not simulated"):
        make_fleet(server.state, NODES)


def test_an_answer_is_read_when_all_of_it_is_there() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"

    assert read_answer(bytearray(whole[:-1])) is None
    assert read_answer(bytearray(whole[:20])) is None
    answer = read_answer(bytearray(whole))
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"abc")
