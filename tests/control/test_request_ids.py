"""Every answer has an id, and the log of a real server has it too (00-general.md, 9)."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .live import PASSWORD, LiveServer

LOGIN = ("admin@localhost", PASSWORD)
HOST = "mgmt.example.net"
# More than the 16 KiB of a head, and no end of it: all of this is under way when the server hangs
# up. With more to send the client's system may forget the answer that came before.
TOO_LONG = 20_000
# A head went before it in the first record of TLS, whose other bytes are not counted.
LONGER = 36_000

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(
        state=tmp_path_factory.mktemp("ids") / "state",
        environment={"OPENBOND_ALLOWED_HOSTS": f"127.0.0.1,{HOST}"},
    )
    live.start()
    yield live
    live.stop()


def answer_to(server: LiveServer, request: bytes) -> tuple[dict[str, str], bytes]:
    """Send bytes over TLS; return the head of the answer, its first line as `status`, and body."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
        server.trust().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    named = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
    return {**named, "status": status.split(" ")[1]}, body


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"\x16\x03 what is this\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET /api/v3/ HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(
            b"GET /api/v3/ HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * TOO_LONG, id="endless head"
        ),
        pytest.param(b"GET /" + b"x" * TOO_LONG, id="endless path"),
        pytest.param("GET /ä HTTP/1.1\r\nHost: x\r\n\r\n".encode(), id="bytes in the path"),
        pytest.param(
            b"POST /api/v3/bonds/ HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
            id="a length that is no number",
        ),
        pytest.param(
            b"POST /api/v3/bonds/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            id="a chunk of no length",
        ),
        pytest.param(
            b"POST /api/v3/bonds/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1;" + b"x" * LONGER,
            id="an endless extension of a chunk",
        ),
        pytest.param(
            b"POST /api/v3/bonds/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\nX-Long: " + b"x" * LONGER,
            id="an endless trailer",
        ),
    ],
)
def test_what_is_no_request_is_refused_in_json_with_an_id(
    server: LiveServer, request_: bytes
) -> None:
    head, body = answer_to(server, request_)

    assert head["status"] == "400"
    assert head["content-type"] == "application/json"
    assert int(head["content-length"]) == len(body)
    assert len(head["x-request-id"]) == 32
    assert json.loads(body)["code"] == "bad_request"


def test_a_request_of_nonsense_does_not_harm_the_next(server: LiveServer) -> None:
    answer_to(server, b"nonsense\r\n\r\n")

    with server.client() as client:
        assert client.get("/api/v3/").status_code == 401


def test_a_session_cookie_that_is_none_is_taken_back(server: LiveServer) -> None:
    with server.client() as client:
        client.cookies.set("sessionid", "nonsense")
        answer = client.get("/api/v3/")

    assert answer.status_code == 401
    assert answer.headers["Set-Cookie"].startswith("sessionid=")


def test_a_redirect_that_would_be_too_long_is_refused_like_everything_else(
    server: LiveServer,
) -> None:
    with server.client() as client:
        answer = client.get("/api/v3/bonds?search=" + "x" * 40_000)

    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"
    assert len(answer.headers["X-Request-Id"]) == 32


def test_the_log_knows_each_refused_request_by_the_id_of_its_answer(
    tmp_path: Path,
) -> None:
    live = LiveServer(state=tmp_path / "state", environment={"OPENBOND_ALLOWED_HOSTS": "127.0.0.1"})
    live.start()
    try:
        ids = refused_ids(live)
    finally:
        printed = live.output()

    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    logged = {line.get("request_id") for line in lines}
    assert set(ids.values()) == {400, 401, 404, 405, 413, 415, 500}
    assert set(ids) <= logged


def refused_ids(live: LiveServer) -> dict[str, int]:
    """Ask for what a server refuses, a fault of its own last; return id and status of each."""
    with live.client() as client:
        answers = [
            client.get("/api/v3/bonds/"),
            client.get("/api/v3/bonds/", auth=("admin@localhost", "wrong")),
            client.get("/api/v3/nowhere/"),
            client.get("/api/v3/bonds/", headers={"Host": "evil.example"}),
            client.get("/api/v3/bonds?search=" + "x" * 40_000),
            client.patch("/api/v3/bonds/", auth=LOGIN),
            client.post("/api/v3/bonds/", auth=LOGIN, json={}),
            client.post("/api/v3/bonds/", auth=LOGIN, content=b"<x/>"),
            client.post("/api/v3/bonds/", auth=LOGIN, content=b" " * 1_500_000),
        ]
        with closing(sqlite3.connect(live.state / "db.sqlite3")) as database:
            database.execute("ALTER TABLE bonds_bond RENAME TO elsewhere")
        answers.append(client.get("/api/v3/bonds/", auth=LOGIN))
    found = {answer.headers["X-Request-Id"]: answer.status_code for answer in answers}
    head, _ = answer_to(live, b"nonsense\r\n\r\n")
    found[head["x-request-id"]] = int(head["status"])
    assert all(answer.headers["Content-Type"] == "application/json" for answer in answers)
    assert len(found) == len(answers) + 1
    return found
