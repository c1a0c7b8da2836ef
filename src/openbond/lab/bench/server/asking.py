"""Calls the server as its own front does, and keeps the statements that it ran."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from statistics import median
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import DEFAULT_DB_ALIAS, connections

from openbond.lab.bench.rows import Say
from openbond.lab.errors import LabError

from .rows_in import LOGIN, PASSWORD

Statement = tuple[str, Any]


class Asking:
    """A client beside the server in one process: the application that the server itself calls."""

    def __init__(self, login: str = LOGIN) -> None:
        self._application = get_wsgi_application()
        # Of a session on the site; the API goes by the header alone.
        self.cookie = ""
        self.authorization = f"Basic {base64.b64encode(f'{login}:{PASSWORD}'.encode()).decode()}"

    def get(self, address: str) -> bytes:
        """Return the body of GET at an address, or below /api/v3/ where it begins without a slash.

        Raises LabError unless it is answered 200.
        """
        path, _, query = address.partition("?")
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path if path.startswith("/") else f"/api/v3/{path}",
            "QUERY_STRING": query,
            "SERVER_NAME": "bench",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(),
            "HTTP_AUTHORIZATION": self.authorization,
            "HTTP_COOKIE": self.cookie,
        }
        answered: list[str] = []

        def start_response(
            status: str, headers: object, fault: object = None
        ) -> Callable[..., Any]:
            answered.append(status)
            return answered.append

        answer = self._application(environ, start_response)
        body = b"".join(answer)
        if not answered or not answered[0].startswith("200"):
            raise LabError(f"GET {address} was answered {answered}: {body[:200]!r}")
        return body


@contextmanager
def kept(alias: str = DEFAULT_DB_ALIAS) -> Iterator[list[Statement]]:
    """Keep the statements that run in the block on one database."""
    ran: list[Statement] = []

    def wrapper(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        ran.append((sql, params))
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(wrapper):
        yield ran


def raw(statements: list[Statement]) -> list[Statement]:
    """Return statements as the driver below Django takes them; both databases have the same."""
    if connections[DEFAULT_DB_ALIAS].vendor != "sqlite":
        return statements
    return [(sql.replace("%s", "?").replace("%%", "%"), params or ()) for sql, params in statements]


def fetch(statements: list[Statement], alias: str = DEFAULT_DB_ALIAS) -> float:
    """Run raw statements on the driver's own connection and fetch all their rows.

    Return the seconds that it took.
    """
    start = time.perf_counter()
    cursor = connections[alias].connection.cursor()
    for sql, params in statements:
        cursor.execute(sql, params)
        cursor.fetchall()
    cursor.close()
    return time.perf_counter() - start


def cpu_in_turns(
    ways: dict[str, tuple[Callable[[], object], int]], *, rounds: int, say: Say, what: str
) -> list[dict[str, float]]:
    """Run each way so many times a round, in turns; return milliseconds of CPU a run, by round."""
    for way, _ in ways.values():
        way()
    found = []
    for number in range(1, rounds + 1):
        say(f"{what}: round {number} of {rounds}")
        found.append({name: _cpu(way, times) for name, (way, times) in ways.items()})
    return found


def ratio(turns: list[dict[str, float]], above: list[str], below: list[str]) -> float:
    """Return the median over the rounds of one sum of ways by another."""
    return median(sum(turn[a] for a in above) / sum(turn[b] for b in below) for turn in turns)


def middle(turns: list[dict[str, float]], name: str) -> float:
    return median(turn[name] for turn in turns)


def _cpu(way: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        way()
    return (time.process_time() - start) / times * 1000
