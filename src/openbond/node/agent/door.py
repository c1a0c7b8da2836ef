"""The agent's local socket: what `openbond node status`, `ping` and `fetch` ask (behaviour 1.2)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from openbond.node.lines import NoAnswer, ask
from openbond.wire.reports import LegFacts, Problem


class Ping(Struct, frozen=True, kw_only=True, tag="ping"):
    """Are all programs of the node alive?"""


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    pass


class Fetch(Struct, frozen=True, kw_only=True, tag="fetch"):
    """Fetch and apply the whole config now."""


Question: TypeAlias = Ping | Status | Fetch


class StatusAnswer(Struct, frozen=True, kw_only=True):
    """What the operator sees. `silent`: programs that do not answer."""

    node_id: int | None = None
    name: str = ""
    server: str = ""
    revision: int = 0
    trying: int = 0
    last_contact_ms: int | None = None
    last_error: str = ""
    reports_waiting: int = 0
    legs: list[LegFacts] = []
    warnings: list[Problem] = []
    failures: list[Problem] = []
    silent: list[str] = []


Answer: TypeAlias = Callable[[Question], Awaitable[StatusAnswer]]
_decoder: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)


async def ask_agent(path: Path, question: Question, *, within_s: float) -> StatusAnswer:
    """Raises NoAnswer when the agent does not run or does not answer in time."""
    line = await ask(path, msgspec.json.encode(question) + b"\n", within_s=within_s)
    try:
        return msgspec.json.decode(line, type=StatusAnswer)
    except msgspec.DecodeError as error:
        raise NoAnswer(f"the agent's answer is unreadable: {error}") from error


class Door:
    """Serves the socket; `answer` does the work."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer

    async def open(self) -> asyncio.Server:
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o600)
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = await self._answer(_decoder.decode(line))
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (ConnectionError, msgspec.DecodeError):
            # Whoever asks is a program of ours: one that asks nonsense is of another version.
            return
        finally:
            writer.close()
