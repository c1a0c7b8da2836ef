"""Warns when the address of a static leg is in use by somebody else too (behaviour 3.8)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from typing import TypeAlias

import structlog

from openbond.node import clock
from openbond.node.linux.arp import find_other_user
from openbond.node.plan.values import Observed
from openbond.wire.config import NodeContent, StaticAccess
from openbond.wire.reports import Problem
from openbond.wire.states import LinkMode

log = structlog.get_logger()

LOOK_EVERY_S = 2.0
# Who took the address may have gone, or come, since.
AGAIN_AFTER_S = 900.0
AGAIN_AFTER_TROUBLE_S = 60.0

# interface, address → the hardware address of another user, None if there is none
Find: TypeAlias = Callable[[str, IPv4Address], Awaitable[str | None]]
_Place: TypeAlias = tuple[int, str, str]  # leg, interface, address


async def ask_the_network(interface: str, address: IPv4Address) -> str | None:
    dice = random.random()  # noqa: S311 - spreads load, guards nothing
    return await find_other_user(interface, address, dice=dice)


class Duplicates:
    """Asks once when a leg gets its address or its carrier back, and at times again.

    The leg is used all the same: probes of the tunnel decide whether it works.
    """

    def __init__(
        self,
        content: Callable[[], NodeContent | None],
        observed: Callable[[], Observed],
        noted: Callable[[str, str], None],
        find: Find = ask_the_network,
    ) -> None:
        self._content, self._observed = content, observed
        self._noted = noted
        self._find = find
        self._due: dict[_Place, float] = {}
        self._found: dict[_Place, str] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Ask about every address whose time has come."""
        present = set(self._present())
        for place in set(self._due) - present:
            self._due.pop(place)
            self._found.pop(place, None)
        now = clock.monotonic()
        due = [place for place in sorted(present) if self._due.get(place, now) <= now]
        await asyncio.gather(*(self._ask(place) for place in due))

    def warning_list(self) -> list[Problem]:
        return [
            Problem(about=f"leg {place[0]}", text=text)
            for place, text in sorted(self._found.items())
        ]

    def _present(self) -> list[_Place]:
        """Return the static legs with carrier: without one nobody could answer."""
        content, links = self._content(), self._observed().links
        legs = [leg for bond in content.bonds for leg in bond.legs] if content else []
        return [
            (leg.id, leg.interface, leg.access.ip)
            for leg in legs
            if isinstance(leg.access, StaticAccess)
            and leg.link_mode is not LinkMode.OFFLINE
            and (link := links.get(leg.interface)) is not None
            and link.carrier
        ]

    async def _ask(self, place: _Place) -> None:
        leg_id, interface, address = place
        try:
            other = await self._find(interface, IPv4Address(address))
        except OSError as error:
            log.warning("no duplicate-address check", leg=leg_id, why=str(error))
            self._due[place] = clock.monotonic() + AGAIN_AFTER_S
            return
        self._due[place] = clock.monotonic() + (AGAIN_AFTER_TROUBLE_S if other else AGAIN_AFTER_S)
        if other is None:
            self._found.pop(place, None)
            return
        text = f"address {address} is in use by {other} too: give one of the two another"
        if self._found.get(place) != text:
            self._noted(f"leg {leg_id}", text)
        self._found[place] = text
