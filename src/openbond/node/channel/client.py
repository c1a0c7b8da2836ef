"""Exchanges with the server over any way that works (behaviour 1.5)."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import msgspec

from openbond.node import clock
from openbond.node.errors import NodeError, ServerRefused, ServerUnreachable
from openbond.node.identity import Identity
from openbond.node.settings import ServerAddress
from openbond.wire import exchange
from openbond.wire.exchange import PollAnswer, PollRequest, ReportAnswer, ReportRequest

from . import trust
from .addresses import ServerAddresses
from .numbers import RisingNumbers
from .requests import Request, WayClient, refusal_in, unreachable
from .ways import Way, in_order

T = TypeVar("T")
POLL_GRACE_S = 10.0
DATE_S = 5.0
# A way that is given up while it waits, for a reason that is not its own, is tried once more.
MOST_TRIES = 2


class Transport:
    """Requests to one server over a changing set of ways; owns the connections."""

    def __init__(
        self,
        server: ServerAddress,
        context: ssl.SSLContext,
        *,
        ways: Callable[[], Sequence[Way]],
        addresses: ServerAddresses,
        silent: Callable[[], Collection[int]] = tuple,
        moved_on_mobile: Callable[[int], None] | None = None,
    ) -> None:
        self.server = server
        self._context = context
        self._ways = ways
        self._silent = silent
        self._addresses = addresses
        self._moved_on_mobile = moved_on_mobile
        self._clients: dict[Way, WayClient] = {}
        self._lost: dict[Way, asyncio.Event] = {}
        self.last_success: int | None = None

    async def send(self, make: Callable[[], Request]) -> httpx.Response:
        """Send over the first way that brings an answer, whatever the answer says.

        `make` gives the request anew for each attempt: a number may be used once only.
        Raises ServerUnreachable, ServerNotTrusted or ClockWrong when no way did.
        """
        failure: NodeError = ServerUnreachable(
            "No leg has an address yet, so the server cannot be asked: check the legs' cables "
            "and, for DHCP legs, that the access hands out leases."
        )
        await self._forget_all_but(self._ways())
        tried: Counter[Way] = Counter()
        while (way := self._next_way(tried)) is not None:
            tried[way] += MOST_TRIES
            try:
                return await self._send_by(way, make)
            except _WayLost as lost:
                # Others first; but a leg whose tunnel went down may still reach the server.
                tried[way] -= MOST_TRIES - 1
                failure = unreachable(self.server, way, lost)
            except NodeError as refused:
                failure = refused
        raise failure

    @property
    def is_on_mobile(self) -> bool:
        """Say whether the last answer came over a mobile leg."""
        return any(way.is_mobile and way.leg_id == self.last_success for way in self._ways())

    def _next_way(self, tried: Counter[Way]) -> Way | None:
        """Return the best of the ways that there are now, and least tried of them."""
        open_ways = [way for way in self._ways() if tried[way] < MOST_TRIES]
        ordered = in_order(open_ways, last_success=self.last_success, silent=self._silent())
        return min(ordered, key=lambda way: tried[way], default=None)

    def way_lost(self, leg_id: int) -> None:
        """Give up what waits on a leg that is known to be dead; it is tried on the next one."""
        self._give_up(way for way in self._lost if way.leg_id == leg_id)

    def way_back(self, leg_id: int) -> None:
        """Give up what waits on legs that are silent, now that one is heard again.

        What waits on that leg itself goes too: its connection, once starved, may pause longer than
        a new one needs.
        """
        silent = self._silent()
        self._give_up(way for way in self._lost if way.leg_id == leg_id or way.leg_id in silent)

    def ways_changed(self) -> None:
        """Give up what waits on a way that is no more, e.g. on an address the leg lost."""
        present = set(self._ways())
        self._give_up(way for way in self._lost if way not in present)

    def _give_up(self, ways: Iterable[Way]) -> None:
        for way in list(ways):
            self._lost.pop(way).set()

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _forget_all_but(self, ways: Sequence[Way]) -> None:
        for way in set(self._clients) - set(ways):
            # What is under way may still be answered; it is closed at a later look.
            if not self._clients[way].is_busy:
                await self._clients.pop(way).close()

    async def _send_by(self, way: Way, make: Callable[[], Request]) -> httpx.Response:
        client = self._client(way)
        failure: NodeError = ServerUnreachable(
            f"The name {self.server.host} has no address by {way}: check it, and the name servers."
        )
        for address in await self._addresses.of(self.server.host, way):
            try:
                response = await self._unless_lost(way, client.send(make(), address=address))
            except httpx.TransportError as error:
                failure = await self._explain(error, way, address)
            else:
                self.last_success = way.leg_id
                self._addresses.worked(self.server.host, address)
                return response
        raise failure

    def _client(self, way: Way) -> WayClient:
        if way not in self._clients:
            moved = self._moved_on_mobile if way.is_mobile else None
            self._clients[way] = WayClient(way, self.server, self._context, moved=moved)
        return self._clients[way]

    async def _unless_lost(
        self, way: Way, sending: Coroutine[None, None, httpx.Response]
    ) -> httpx.Response:
        lost = self._lost.setdefault(way, asyncio.Event())
        answer = asyncio.create_task(sending)
        loss = asyncio.create_task(lost.wait())
        try:
            await asyncio.wait({answer, loss}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _WayLost("the leg went down")
            return answer.result()
        finally:
            for task in (answer, loss):
                if not task.done():
                    task.cancel()
            await asyncio.gather(answer, loss, return_exceptions=True)

    async def _explain(self, error: Exception, way: Way, address: str) -> NodeError:
        failed = trust.certificate_failure(error)
        if failed is None:
            return unreachable(self.server, way, error)
        date = await self._server_time(way, address) if trust.is_about_time(failed) else None
        now = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC)
        return trust.explain(failed, server=self.server, server_time=date, now=now)

    async def _server_time(self, way: Way, address: str) -> datetime | None:
        # Unchecked, and therefore nothing but the clock is believed; no secret is sent.
        client = WayClient(way, self.server, trust.unchecked())
        try:
            response = await client.send(
                Request("GET", exchange.CA, answer_within_s=DATE_S), address=address
            )
        except httpx.TransportError:
            return None
        finally:
            await client.close()
        return trust.read_date(response.headers.get("date"))


class _WayLost(Exception):
    pass


class Channel:
    """The signed exchanges of an enrolled node."""

    def __init__(self, transport: Transport, identity: Identity, numbers: RisingNumbers) -> None:
        self.transport = transport
        self.identity = identity
        self._numbers = numbers

    async def poll(self, request: PollRequest) -> PollAnswer:
        """Ask for a newer config; the server answers late when there is none.

        Raises NodeError: ServerRefused for an answer that is an error, else why none came.
        """
        within = request.wait_ms / 1000 + POLL_GRACE_S
        return await self._exchange(exchange.POLL, request, PollAnswer, within)

    async def report(self, request: ReportRequest) -> ReportAnswer:
        """Hand over reports. Raises NodeError as poll does."""
        return await self._exchange(exchange.REPORT, request, ReportAnswer, 20.0)

    async def _exchange(
        self, target: str, value: PollRequest | ReportRequest, kind: type[T], within_s: float
    ) -> T:
        body = msgspec.json.encode(value)
        response = await self.transport.send(lambda: self._signed(target, body, within_s))
        refusal = refusal_in(response)
        if refusal is not None:
            if refusal.code == exchange.ErrorCode.REPLAYED_NUMBER:
                self._numbers.raise_above(target, refusal.number)
            raise refusal
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ServerRefused(
                f"The server's answer to {target} is unreadable ({error}): upgrade the older of "
                "the two.",
                status=response.status_code,
            ) from error

    def _signed(self, target: str, body: bytes, within_s: float) -> Request:
        number = self._numbers.take(target)
        signature = self.identity.keys.sign_request(
            method="POST", target=target, number=number, body=body
        )
        headers = {
            "Content-Type": "application/json",
            exchange.HEADER_NODE: str(self.identity.node_id),
            exchange.HEADER_NUMBER: str(number),
            exchange.HEADER_SIGNATURE: signature,
        }
        return Request("POST", target, body, headers, within_s)
