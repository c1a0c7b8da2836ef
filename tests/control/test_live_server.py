"""A real server over HTTPS, and a machine that enrols, polls, applies and reports for real."""

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from cryptography import x509

from openbond.wire.config import NodeContent
from openbond.wire.exchange import (
    CA,
    ENROL,
    HEADER_NODE_KEY,
    POLL,
    REPORT,
    EnrolAnswer,
    ErrorAnswer,
    ErrorCode,
    PollAnswer,
    PollRequest,
    PollStatus,
    ReportAnswer,
    ReportRequest,
)
from openbond.wire.reports import ConfigApplied

from .live import PATIENCE_SECONDS, LiveServer
from .machine import VERSION, Machine, checked_content

T = TypeVar("T")
Servers = type[LiveServer]

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(state=tmp_path_factory.mktemp("live") / "state")
    live.start()
    yield live
    live.stop()


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Makes servers that end with the test, whatever becomes of it."""
    begun: list[LiveServer] = []

    class Stopped(LiveServer):
        def start(self) -> None:
            begun.append(self)
            super().start()

    yield Stopped
    for live in begun:
        live.stop()


@pytest.fixture(scope="module")
def made(server: LiveServer) -> dict[str, Any]:
    return server.populate("bond")


def send(server: LiveServer, machine: Machine, target: str, value: Any) -> httpx.Response:
    body = msgspec.json.encode(value)
    with server.client() as client:
        return client.post(target, content=body, headers=machine.headers(target, body))


def decoded(response: httpx.Response, kind: type[T]) -> T:
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=kind)


def enrol(server: LiveServer, key: str, machine: Machine) -> httpx.Response:
    body = msgspec.json.encode(machine.enrol_request())
    with server.client() as client:
        response = client.post(ENROL, content=body, headers={HEADER_NODE_KEY: key})
    if response.status_code == 200:
        machine.node_id = decoded(response, EnrolAnswer).node_id
    return response


def poll(
    server: LiveServer, machine: Machine, *, revision: int = 0, hash: str = "", wait_ms: int = 0
) -> PollAnswer:
    has = PollRequest(revision=revision, hash=hash, software_version=VERSION, wait_ms=wait_ms)
    return decoded(send(server, machine, POLL, has), PollAnswer)


def content_of(server: LiveServer, answer: PollAnswer, machine: Machine) -> NodeContent:
    assert answer.envelope
    ca = x509.load_pem_x509_certificate((server.state / "ca" / "ca.pem").read_bytes())
    return checked_content(
        answer.envelope, signer_pem=answer.signer, ca=ca, node_id=machine.node_id
    )


@pytest.fixture
def bonder(server: LiveServer, made: dict[str, Any]) -> Machine:
    machine = Machine()
    assert enrol(server, made["bonder"], machine).status_code == 200
    return machine


def test_a_machine_enrols_polls_applies_and_reports(
    server: LiveServer, made: dict[str, Any], bonder: Machine
) -> None:
    answer = poll(server, bonder)
    content = content_of(server, answer, bonder)
    assert answer.envelope
    now_ms = time.time_ns() // 1_000_000
    report = ConfigApplied(
        number=1,
        at_ms=now_ms,
        revision=answer.envelope.revision,
        hash=answer.envelope.hash,
        steps=7,
    )
    told = ReportRequest(sent_at_ms=now_ms, reports=[report], software_version=VERSION)
    taken = decoded(send(server, bonder, REPORT, told), ReportAnswer)
    time.sleep(1.5)  # contacts are written once a second
    found = server.populate("look", str(made["bond"]))

    assert [leg.interface for leg in content.bonds[0].legs] == ["eth1"]
    assert taken.taken == 1
    assert set(found["statuses"]) == {"applied"}
    assert (found["version"], found["connected"]) == (VERSION, True)


def test_a_held_poll_is_answered_soon_after_a_change_from_another_process(
    server: LiveServer, made: dict[str, Any], bonder: Machine
) -> None:
    first = poll(server, bonder)
    assert first.envelope
    has = first.envelope
    answers: list[tuple[float, PollAnswer]] = []

    def hold() -> None:
        answer = poll(server, bonder, revision=has.revision, hash=has.hash, wait_ms=50_000)
        answers.append((time.monotonic(), answer))

    waiting = threading.Thread(target=hold)
    waiting.start()
    time.sleep(1)
    assert waiting.is_alive()
    server.populate("hold", str(made["bond"]), "333")
    committed = time.monotonic()
    waiting.join(timeout=20)

    answered, answer = answers[0]
    assert answered - committed < 2.0
    assert content_of(server, answer, bonder).bonds[0].reorder_max_hold_ms == 333


def test_a_poll_without_news_is_answered_with_nothing(server: LiveServer, bonder: Machine) -> None:
    first = poll(server, bonder)
    assert first.envelope

    began = time.monotonic()
    answer = poll(
        server, bonder, revision=first.envelope.revision, hash=first.envelope.hash, wait_ms=700
    )

    assert answer.status is PollStatus.NOTHING
    assert 0.6 < time.monotonic() - began < 3


def test_held_polls_cost_no_threads(server: LiveServer, bonder: Machine) -> None:
    first = poll(server, bonder)
    assert first.envelope
    has = PollRequest(
        revision=first.envelope.revision,
        hash=first.envelope.hash,
        software_version=VERSION,
        wait_ms=4_000,
    )

    async def hold_many() -> tuple[int, list[httpx.Response]]:
        async with server.async_client() as client:
            body = msgspec.json.encode(has)
            tasks = []
            for _ in range(60):
                headers = bonder.headers(POLL, body)
                tasks.append(asyncio.create_task(client.post(POLL, content=body, headers=headers)))
                await asyncio.sleep(0.03)
            threads = server.threads()
            return threads, await asyncio.gather(*tasks)

    threads, responses = asyncio.run(hold_many())

    # A number that one connection's delay turned round is refused; nearly all are held.
    held = [decoded(one, PollAnswer) for one in responses if one.status_code == 200]
    assert len(held) > 30
    assert {answer.status for answer in held} == {PollStatus.NOTHING}
    assert threads < 30  # the desks and the workshop


def test_a_wrong_key_is_refused_in_words_and_slowed_down(
    server: LiveServer, made: dict[str, Any]
) -> None:
    began = time.monotonic()
    responses = [enrol(server, "0000-0000-0000-0000", Machine()) for _ in range(3)]
    took = time.monotonic() - began

    refusal = msgspec.json.decode(responses[0].content, type=ErrorAnswer)
    assert [response.status_code for response in responses] == [403] * 3
    assert refusal.code == ErrorCode.UNKNOWN_KEY
    assert took >= 2.0
    time.sleep(1.1)  # leave the address clean for others


def test_the_ca_can_be_fetched_by_who_knows_its_fingerprint(server: LiveServer) -> None:
    with server.client() as client:
        response = client.get(CA)

    assert response.text == (server.state / "ca" / "ca.pem").read_text()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", POLL, 405, id="a poll is a POST"),
        pytest.param("POST", CA, 405, id="the CA is only read"),
        pytest.param("POST", "/node/v1/nonsense/", 404, id="no such exchange"),
        pytest.param("POST", POLL, 400, id="an empty body"),
    ],
)
def test_what_is_no_exchange_is_refused_in_json(
    server: LiveServer, method: str, path: str, status: int
) -> None:
    with server.client() as client:
        response = client.request(method, path)

    assert response.status_code == status
    assert msgspec.json.decode(response.content, type=ErrorAnswer).detail


def test_a_body_without_end_is_refused(server: LiveServer) -> None:
    with server.client() as client:
        response = client.post(REPORT, content=b" " * (9 * 1024 * 1024))

    assert response.status_code == 400
    assert "larger than" in response.json()["detail"]


def test_the_first_start_prints_what_an_operator_needs(tmp_path: Path, servers: Servers) -> None:
    live = servers(
        state=tmp_path / "state", environment={"OPENBOND_ADMIN_PASSWORD": ""}, is_blank=True
    )
    live.start()

    printed = live.output()

    assert "Administrator: admin@localhost" in printed
    assert "Password, shown this once: " in printed
    assert f"openbond server at https://127.0.0.1:{live.port}/" in printed
    assert "fingerprint   SHA256:" in printed


def test_a_second_server_on_the_directory_is_refused(server: LiveServer) -> None:
    done = subprocess.run(
        server.command("--state", str(server.state), "--port", "0"),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert done.returncode == 1
    assert "already runs on" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_refused(server: LiveServer, tmp_path: Path) -> None:
    done = subprocess.run(
        server.command(
            "--state", str(tmp_path / "other"), "--host", "127.0.0.1", "--port", str(server.port)
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert done.returncode == 1
    assert f"Cannot listen at 127.0.0.1 port {server.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_terminated_it_answers_held_polls_and_ends(tmp_path: Path, servers: Servers) -> None:
    live = servers(state=tmp_path / "state")
    live.start()
    made = live.populate("bond")
    machine = Machine()
    enrol(live, made["bonder"], machine)
    first = poll(live, machine)
    assert first.envelope
    has = first.envelope
    answers: list[PollAnswer] = []

    def hold() -> None:
        answers.append(poll(live, machine, revision=has.revision, hash=has.hash, wait_ms=50_000))

    waiting = threading.Thread(target=hold)
    waiting.start()
    time.sleep(1)
    took = live.terminate()
    waiting.join(timeout=10)

    assert took < 20
    assert not (live.state / "db.sqlite3-wal").exists()  # the database is one file again
    assert [answer.status for answer in answers] == [PollStatus.NOTHING]


def test_killed_at_any_time_it_comes_back_to_what_it_knew(tmp_path: Path, servers: Servers) -> None:
    live = servers(state=tmp_path / "state")
    live.start()
    made = live.populate("bond")
    machine = Machine()
    enrol(live, made["bonder"], machine)
    first = poll(live, machine)

    live.kill()
    (live.state / "telemetry.sqlite3").write_bytes(b"no database any more " * 4096)
    live.start()
    again = poll(live, machine)
    printed = live.output()

    # Losing what nodes measured loses charts only (behaviour 4.7).
    assert (live.state / "telemetry.sqlite3.unusable").exists()
    assert (live.state / "telemetry.sqlite3").read_bytes().startswith(b"SQLite format 3")
    assert first.envelope
    assert again.envelope
    assert again.envelope.revision == first.envelope.revision
    assert again.envelope.hash == first.envelope.hash
    assert "Administrator:" not in printed


@pytest.mark.parametrize("after_ms", [400, 1300])
def test_killed_during_its_first_start_the_next_start_finishes_it(
    tmp_path: Path, servers: Servers, after_ms: int
) -> None:
    live = servers(state=tmp_path / "state")
    where = ["--state", str(live.state), "--host", "127.0.0.1", "--port", str(live.port)]
    begun = subprocess.Popen(
        live.command(*where),
        env=live.all_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after_ms / 1000)
    begun.kill()
    begun.wait()

    live.start()
    made = live.populate("bond")
    enrolled = enrol(live, made["bonder"], Machine())
    live.stop()

    assert enrolled.status_code == 200


def test_a_blank_server_restored_from_a_backup_serves_the_nodes_it_never_saw(
    tmp_path: Path,
    servers: Servers,
) -> None:
    live = servers(state=tmp_path / "state")
    live.start()
    made = live.populate("bond")
    machine = Machine()
    enrol(live, made["bonder"], machine)
    backup = live.run("backup").strip()
    live.populate("hold", str(made["bond"]), "333")  # after the backup: lost on the server
    time.sleep(1)
    known = poll(live, machine).envelope
    assert known
    live.stop()

    again = servers(state=tmp_path / "blank", port=live.port)
    told = again.run("restore", backup)
    again.start()
    answer = poll(again, machine, revision=known.revision, hash=known.hash)
    again.stop()

    assert "Restored the server of" in told
    assert answer.envelope
    assert answer.envelope.revision == known.revision + 1
    assert content_of(again, answer, machine).bonds[0].reorder_max_hold_ms == 150


def test_what_is_no_backup_is_refused_in_words(tmp_path: Path, servers: Servers) -> None:
    (tmp_path / "notes.txt").write_text("no zip")
    live = servers(state=tmp_path / "blank")

    told = live.run("restore", str(tmp_path / "notes.txt"), fails=True)

    assert "cannot be read as a zip file" in told
    assert "Traceback" not in told
    assert not live.state.exists()


def test_a_lost_secret_is_not_replaced_in_silence(tmp_path: Path, servers: Servers) -> None:
    live = servers(state=tmp_path / "state")
    live.start()
    live.stop()
    (live.state / "secrets" / "fields.key").unlink()

    told = live.run("--port", "0", fails=True)

    assert "secrets in" in told
    assert "Restore a backup" in told
    assert not (live.state / "secrets" / "fields.key").exists()


def test_a_database_of_another_server_is_refused_and_its_own_state_still_fits(
    tmp_path: Path,
    servers: Servers,
) -> None:
    live = servers(state=tmp_path / "state")
    live.start()
    live.terminate()
    other = servers(state=tmp_path / "other")
    other.state.mkdir()
    shutil.copy(live.state / "db.sqlite3", other.state / "db.sqlite3")

    told = [other.run("--port", "0", fails=True) for _ in range(2)]

    assert all("belongs to a server whose keys are not in" in words for words in told)


def test_a_certificate_of_another_authority_can_be_asked_for_by_hand(server: LiveServer) -> None:
    words = ["--name", "mgmt.example.net", "--organization", "Example", "--country", "ca"]

    told = server.run("certificate", "request", *words)

    request = x509.load_pem_x509_csr(told.encode())
    assert request.subject.rfc4514_string() == "C=CA,O=Example,CN=mgmt.example.net"
    assert "holds no certificate" in server.run(
        "certificate", "use", str(server.state / "ca" / "ca.key"), fails=True
    )
