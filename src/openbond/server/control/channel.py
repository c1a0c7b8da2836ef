"""The door for nodes: enrol, poll, report below /node/v1/ (behaviour 1.5)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

import msgspec
import structlog
from django.db import Error as DatabaseError
from django.db import connection

from openbond.server.system.turns import in_no_hurry
from openbond.wire import exchange
from openbond.wire.exchange import (
    EnrolAnswer,
    EnrolRequest,
    ErrorAnswer,
    ErrorCode,
    PollAnswer,
    PollRequest,
    PollStatus,
    ReportAnswer,
    ReportRequest,
)
from openbond.wire.reports import (
    BondRates,
    ConfigRefused,
    ConfigRolledBack,
    Metrics,
    NodeState,
)

from .batches import Batches
from .bell import Bell
from .contacts import Contacts
from .delivery import Asked, Later, Polling, answer_polls, begin_polls
from .desk import Desk
from .enrolment import enrol
from .intake import Handed, take_reports
from .refusals import ChannelRefusal, unavailable
from .requests import Gone, Receive, Request, Scope, Send, read_request, send_json, send_pem
from .revocations import RevocationList
from .signed_requests import SignedRequest, read_signed_request
from .wrong_keys import WrongKeys

MAX_WAIT_MS = 300_000
# What every node tells once a minute may wait a little, so that much of it is stored together; and
# longer, so that nobody who changes something waits for it.
SECONDS_OF_ROUTINE = 0.5
SECONDS_OF_POLLS = 0.25
# On SQLite others wait while so many are stored; PostgreSQL takes about as long to commit one.
MOST_OF_ROUTINE = {"sqlite": 50, "postgresql": 200}
ROUTINE = (NodeState, Metrics, BondRates)
T = TypeVar("T")
Looked: TypeAlias = tuple[Polling, PollAnswer | Later]

log = structlog.get_logger(__name__)


class NodeChannel:
    """The exchanges of nodes, as an ASGI application. `clock` tells the server's time.

    `intake` is the desk of what every node tells each minute: nothing else waits behind it.
    `giving` is that of polls that were woken, mostly for a change.
    """

    def __init__(
        self,
        *,
        crl: RevocationList,
        desk: Desk,
        intake: Desk,
        giving: Desk,
        bell: Bell,
        clock: Callable[[], datetime],
    ) -> None:
        self._crl = crl
        self._desk = desk
        self._bell = bell
        self._clock = clock
        self._wrong_keys = WrongKeys()
        self._polls = Batches(desk, self._look, seconds_between=SECONDS_OF_POLLS)
        # Polls that were woken do not wait for the turn of those that come.
        self._woken = Batches(giving, self._look)
        self._reports = Batches(desk, self._take)
        self._routine = Batches(
            intake,
            self._take_routine,
            seconds_between=SECONDS_OF_ROUTINE,
            most=MOST_OF_ROUTINE[connection.vendor],
        )
        self.contacts = Contacts()
        self._exchanges: dict[
            str, Callable[[Request, Receive], Awaitable[EnrolAnswer | PollAnswer | ReportAnswer]]
        ] = {
            exchange.ENROL: self._enrol,
            exchange.POLL: self._poll,
            exchange.REPORT: self._report,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except ChannelRefusal as refusal:
            await send_json(send, refusal.status, refusal.answer)
        except Gone:
            return
        except DatabaseError:
            log.exception("the database did not answer", path=scope["path"])
            await send_json(send, 503, unavailable().answer)
        except Exception:
            log.exception("an exchange failed", path=scope["path"])
            answer = ErrorAnswer(code="server_error", detail="A fault of the server; see its log.")
            await send_json(send, 500, answer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path == exchange.CA and method in ("GET", "HEAD"):
            await send_pem(send, self._crl.authority.certificate_pem)
            return
        take = self._exchanges.get(path)
        if take is None or method != "POST":
            status = 404 if take is None and path != exchange.CA else 405
            answer = ErrorAnswer(code="not_found", detail=f"No exchange {method} {path}.")
            await send_json(send, status, answer)
            return
        await send_json(send, 200, await take(await read_request(scope, receive), receive))

    async def _enrol(self, request: Request, receive: Receive) -> EnrolAnswer:
        asked = _decoded(request.body, EnrolRequest)
        wait = self._wrong_keys.begin(request.address, time.monotonic())
        if wait is None:
            raise ChannelRefusal(
                ErrorCode.SLOW_DOWN, "Too many wrong node keys from this address. Try again later."
            )
        try:
            await asyncio.sleep(wait)
            answer = await self._judged(request, asked)
        finally:
            self._wrong_keys.end(request.address)
        self.contacts.on_contact(answer.node_id, asked.software_version)
        # A former machine of the node may hold a poll: it learns at once that it was replaced.
        self._bell.ring([answer.node_id])
        return answer

    async def _judged(self, request: Request, asked: EnrolRequest) -> EnrolAnswer:
        key = request.headers.get(exchange.HEADER_NODE_KEY.lower(), "")
        try:
            answer = await self._desk.run(
                enrol, key=key, request=asked, crl=self._crl, now=self._clock()
            )
        except ChannelRefusal as refusal:
            if refusal.answer.code == ErrorCode.UNKNOWN_KEY:
                self._wrong_keys.on_wrong_key(request.address, time.monotonic())
            raise
        self._wrong_keys.on_right_key(request.address)
        return answer

    async def _poll(self, request: Request, receive: Receive) -> PollAnswer:
        has = _decoded(request.body, PollRequest)
        asked = Asked(_signed(request), has)
        until = self._clock() + timedelta(milliseconds=max(0, min(has.wait_ms, MAX_WAIT_MS)))
        return await self._held(asked, until, receive)

    async def _held(self, asked: Asked, until: datetime, receive: Receive) -> PollAnswer:
        gone = asyncio.create_task(_hang_up(receive))
        poll: Asked | Polling = asked
        try:
            while True:
                # The future is there before the look: what happens between is not missed.
                with self._bell.held(asked.request.node_id) as rung:
                    is_first = isinstance(poll, Asked)
                    looks = self._polls if is_first else self._woken
                    poll, found = await looks.do(poll)
                    if is_first:
                        self.contacts.on_contact(poll.node_id, poll.has.software_version)
                    if isinstance(found, PollAnswer):
                        return found
                    look_at = _next_look(found, until)
                    await asyncio.wait(
                        {rung, gone},
                        timeout=max(0.0, (look_at - self._clock()).total_seconds()),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                if gone.done():
                    raise Gone
                # Whatever could change the answer rings, or was to be looked at: no last look.
                if self._bell.closing or (not rung.done() and look_at == until):
                    return PollAnswer(status=PollStatus.NOTHING)
        finally:
            gone.cancel()

    def _look(self, polls: Sequence[Asked | Polling]) -> list[Looked | Exception]:
        """Let in those that ask for the first time, and look for the answers of all."""
        now = self._clock()
        asked = [poll for poll in polls if isinstance(poll, Asked)]
        begun = iter(begin_polls(asked, now=now) if asked else ())
        known = [next(begun) if isinstance(poll, Asked) else poll for poll in polls]
        inside = [poll for poll in known if isinstance(poll, Polling)]
        answers = iter(answer_polls(inside, crl=self._crl, now=now) if inside else ())
        return [
            _looked(poll, next(answers)) if isinstance(poll, Polling) else poll for poll in known
        ]

    async def _report(self, request: Request, receive: Receive) -> ReportAnswer:
        told = _decoded(request.body, ReportRequest)
        signed = _signed(request)
        is_routine = all(isinstance(report, ROUTINE) for report in told.reports)
        batches = self._routine if is_routine else self._reports
        answer = await batches.do(Handed(signed, told))
        self.contacts.on_contact(signed.node_id, told.software_version)
        if any(isinstance(report, ConfigRefused | ConfigRolledBack) for report in told.reports):
            self._bell.ring([signed.node_id])  # the poll that is held must wait longer now
        return answer

    def _take(self, handed: Sequence[Handed]) -> list[ReportAnswer | Exception]:
        return take_reports(handed, now=self._clock())

    def _take_routine(self, handed: Sequence[Handed]) -> list[ReportAnswer | Exception]:
        with in_no_hurry(SECONDS_OF_ROUTINE):
            return self._take(handed)


def _looked(polling: Polling, found: PollAnswer | Later | Exception) -> Looked | Exception:
    return found if isinstance(found, Exception) else (polling, found)


def _signed(request: Request) -> SignedRequest:
    return read_signed_request(
        method=request.method, target=request.target, headers=request.headers, body=request.body
    )


async def _hang_up(receive: Receive) -> None:
    await receive()  # the body is read: nothing else can come


def _next_look(found: Later, until: datetime) -> datetime:
    return until if found.at is None else min(found.at, until)


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelRefusal(
            ErrorCode.BAD_REQUEST, f"The body is not what this exchange takes: {error}"
        ) from error
