"""What the node tells the server of its legs by the clock: all states every 60 s (§3.3)."""

import asyncio
from pathlib import Path

from openbond.node import clock
from openbond.node.linux.lines import read_modem_facts
from openbond.wire.reports import LegFacts, NodeState

from .daemons import Daemons
from .keeper import Keeper
from .known import Known
from .reporting import Reporter
from .states import leg_facts

STATES_EVERY_S = 60.0
LOOKS_MOST = 5
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Telling:
    """The reports that repeat."""

    def __init__(
        self,
        known: Known,
        keeper: Keeper,
        daemons: Daemons,
        reporter: Reporter,
        modems: Path,
    ) -> None:
        self._known = known
        self._keeper = keeper
        self._daemons = daemons
        self._reporter = reporter
        self._modems = modems
        self._boot_id = _boot_id()
        self._now = asyncio.Event()

    def tell_now(self) -> None:
        self._now.set()

    async def tell_states(self) -> None:
        """Report all states for ever: every 60 s, and when asked."""
        while True:
            was_asked = await clock.wait_at_most(STATES_EVERY_S, self._now)
            self._now.clear()
            if self._is_decommissioned() and not was_asked:
                continue
            self._tell_states(await self._present_legs())

    def _is_decommissioned(self) -> bool:
        """Such a node speaks once an hour, when it asks for its config (behaviour 1.4)."""
        content = self._keeper.content
        return content is not None and content.decommission

    def _tell_states(self, legs: list[LegFacts]) -> None:
        self._reporter.add(
            lambda number: NodeState(
                number=number, at_ms=clock.wall_ms(), boot_id=self._boot_id, legs=legs
            )
        )

    async def _present_legs(self) -> list[LegFacts]:
        """Return what is known of all legs, no older than the last change that was reported.

        A change that is told while the daemons are asked would else be followed by a report of
        what was before it, and stand corrected only a minute later.
        """
        legs: list[LegFacts] = []
        for _ in range(LOOKS_MOST):
            heard = self._daemons.heard
            legs = await self.legs()
            if self._daemons.heard == heard:
                break
        return legs

    async def legs(self) -> list[LegFacts]:
        """Return what is known of all legs now."""
        content = self._keeper.content
        if content is None:
            return []
        facts = self._known.facts(content, now=clock.monotonic())
        modems = read_modem_facts(self._modems)
        return leg_facts(content, await self._daemons.statuses(), facts, modems)


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
