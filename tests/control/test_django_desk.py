"""Requests from the event loop to a WSGI application in threads, and answers back."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from openbond.server.control.django_desk import ANSWER_AFTER, MAX_BODY_BYTES, DjangoDesk

StartResponse = Callable[[str, list[tuple[str, str]]], None]
Environ = dict[str, Any]


def echo(environ: Environ, start: StartResponse) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    length = int(environ["CONTENT_LENGTH"])
    return [environ["wsgi.input"].read(length)]


def scope(**options: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/v3/bonds/",
        "query_string": b"page=2",
        "headers": [(b"host", b"mgmt.example.net:8443"), (b"content-type", b"application/json")],
        "scheme": "https",
        "http_version": "1.1",
        "client": ("192.0.2.7", 4711),
        "server": ("198.51.100.1", 8443),
        **options,
    }


def ask(application: Any, *parts: bytes, **options: Any) -> list[Mapping[str, Any]]:
    """Send a request whose body comes in `parts`; return the messages of the answer."""
    waiting: list[Mapping[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, start=1)
    ]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    desk = DjangoDesk(application, threads=1)
    try:
        asyncio.run(desk(scope(**options), receive, send))
    finally:
        desk.close()
    return sent


def test_a_small_answer_goes_in_one_message_with_its_length() -> None:
    sent = ask(echo, b"hello")

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (b"content-length", b"5") in sent[0]["headers"]
    assert sent[1]["body"] == b"hello"
    assert not sent[1]["more_body"]


def test_a_body_that_comes_in_chunks_without_a_length_is_whole() -> None:
    sent = ask(echo, b"he", b"ll", b"o")

    assert sent[1]["body"] == b"hello"


def test_a_body_that_is_too_large_is_cut_above_what_django_refuses() -> None:
    def length(environ: Environ, start: StartResponse) -> list[bytes]:
        start("413 Too Large", [])
        return [environ["CONTENT_LENGTH"].encode()]

    sent = ask(length, *[b"x" * 1_000_000] * 9)

    assert MAX_BODY_BYTES < int(sent[1]["body"]) <= MAX_BODY_BYTES + 1_000_000


def test_the_application_sees_the_request_as_it_came() -> None:
    seen: Environ = {}

    def look(environ: Environ, start: StartResponse) -> list[bytes]:
        seen.update(environ)
        start("204 No Content", [])
        return []

    sent = ask(look, b"", headers=[(b"accept", b"a"), (b"accept", b"b"), (b"x-one", b"1")])

    assert seen["PATH_INFO"] == "/api/v3/bonds/"
    assert seen["QUERY_STRING"] == "page=2"
    assert seen["HTTP_ACCEPT"] == "a,b"
    assert seen["HTTP_X_ONE"] == "1"
    assert seen["REMOTE_ADDR"] == "192.0.2.7"
    assert seen["wsgi.url_scheme"] == "https"
    assert sent[0]["status"] == 204
    assert b"content-length" not in dict(sent[0]["headers"])


def test_a_large_answer_goes_in_pieces_and_is_closed() -> None:
    closed = threading.Event()

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield from (b"one", b"two", b"three")

        def close(self) -> None:
            closed.set()

    def stream(environ: Environ, start: StartResponse) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "application/zip")])
        return Pieces()

    sent = ask(stream, b"")

    assert [message["body"] for message in sent[1:]] == [b"one", b"two", b"three"]
    assert [message["more_body"] for message in sent[1:]] == [True, True, False]
    assert closed.is_set()


def test_a_client_that_hangs_up_before_its_body_is_done_reaches_nobody() -> None:
    def never(environ: Environ, start: StartResponse) -> list[bytes]:
        pytest.fail("asked")

    assert ask(never) == []


def test_requests_keep_their_thread_and_so_its_connection() -> None:
    threads: list[int] = []

    def note(environ: Environ, start: StartResponse) -> list[bytes]:
        threads.append(threading.get_ident())
        return echo(environ, start)

    async def twice() -> None:
        desk = DjangoDesk(note, threads=1)

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Mapping[str, Any]) -> None:
            return None

        await desk(scope(), receive, send)
        await desk(scope(), receive, send)
        desk.close()

    asyncio.run(twice())

    assert len(set(threads)) == 1


def wait_if_slow(environ: Environ, start: StartResponse) -> list[bytes]:
    if environ["PATH_INFO"] == "/slow/":
        environ[ANSWER_AFTER] = 0.8
    start("401 Unauthorized", [])
    return [environ["PATH_INFO"].encode()]


def test_an_answer_that_waits_keeps_no_thread_from_others() -> None:
    """One thread, and an answer that waits until everybody else has theirs."""
    order: list[bytes] = []
    waited: list[float] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Mapping[str, Any]) -> None:
        order.append(message.get("body", b""))

    async def all_three() -> None:
        is_over = asyncio.Event()

        async def pause(seconds: float) -> None:
            waited.append(seconds)
            await is_over.wait()

        desk = DjangoDesk(wait_if_slow, threads=1, pause=pause)
        slow = asyncio.create_task(desk(scope(path="/slow/"), receive, send))
        await asyncio.sleep(0)
        await desk(scope(path="/1/"), receive, send)
        await desk(scope(path="/2/"), receive, send)
        is_over.set()
        await slow
        desk.close()

    asyncio.run(all_three())

    assert waited == [0.8]
    assert [body for body in order if body] == [b"/1/", b"/2/", b"/slow/"]


def test_every_answer_bears_the_id_of_its_request() -> None:
    given = ask(echo, b"", headers=[(b"x-request-id", b"order-4711")])
    made = ask(echo, b"", headers=[(b"x-request-id", b"two words")])

    assert dict(given[0]["headers"])[b"X-Request-Id"] == b"order-4711"
    assert len(dict(made[0]["headers"])[b"X-Request-Id"]) == 32


def test_an_application_that_fails_is_told_in_json_without_its_reason() -> None:
    def fail(environ: Environ, start: StartResponse) -> list[bytes]:
        raise ZeroDivisionError("secret inside")

    sent = ask(fail, b"", headers=[(b"x-request-id", b"order-4711")])

    headers = dict(sent[0]["headers"])
    told = json.loads(sent[1]["body"])
    assert sent[0]["status"] == 500
    assert headers[b"Content-Type"] == b"application/json"
    assert headers[b"X-Request-Id"] == b"order-4711"
    assert told["code"] == "server_error"
    assert "order-4711" in told["detail"]
    assert "secret" not in told["detail"]


def test_an_answer_that_fails_in_its_midst_does_not_look_whole() -> None:
    def stream(environ: Environ, start: StartResponse) -> Iterable[bytes]:
        start("200 OK", [])
        yield b"one"
        yield b"two"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(stream, b"")
