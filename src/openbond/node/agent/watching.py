"""Are the node's programs alive? One that does not answer is killed and comes back (§1.2)."""

import asyncio
from collections.abc import Callable, Iterable

from openbond.node import clock, daemon_messages, programs
from openbond.node.lines import NoAnswer
from openbond.wire.reports import ProgramRestarted

from .daemons import Daemons
from .reporting import Reporter
from .supervision import Supervision

LOOK_EVERY_S = 5.0
ASK_EVERY_S = 30.0
MOST_UNANSWERED = 3


class Watch:
    """Asks the tunnel daemons every 30 s, and reports every restart of a program."""

    def __init__(self, supervision: Supervision, daemons: Daemons, reporter: Reporter) -> None:
        self._supervision = supervision
        self._daemons = daemons
        self._reporter = reporter
        self._unanswered: dict[int, int] = {}
        self._restarts: dict[str, int] | None = None

    async def run(self) -> None:
        looks = round(ASK_EVERY_S / LOOK_EVERY_S)
        await self._report_restarts()
        while True:
            for _ in range(looks):
                await asyncio.sleep(LOOK_EVERY_S)
                await self._report_restarts()
            await self._ask_daemons()

    async def silent(self) -> list[str]:
        """Return the programs that do not answer now."""
        silent = [f"tunnel-{bond_id}" for bond_id in await self._silent_daemons()]
        try:
            found = await self._supervision.ask(programs.Status())
        except NoAnswer:
            return [*silent, "supervisor"]
        return [*silent, *(program.name for program in found if not program.pid)]

    async def _silent_daemons(self) -> list[int]:
        links = list(self._daemons.links.values())
        pings = (link.ask(daemon_messages.Ping()) for link in links)
        answers = await asyncio.gather(*pings, return_exceptions=True)
        pairs = zip(links, answers, strict=True)
        return [link.bond_id for link, answer in pairs if isinstance(answer, BaseException)]

    async def _ask_daemons(self) -> None:
        silent = await self._silent_daemons()
        for bond_id in set(self._unanswered) - set(silent):
            del self._unanswered[bond_id]
        for bond_id in silent:
            count = self._unanswered.get(bond_id, 0) + 1
            self._unanswered[bond_id] = count
            if count >= MOST_UNANSWERED:
                del self._unanswered[bond_id]
                reason = f"did not answer {count} times in {round(ASK_EVERY_S * count)} s"
                await self._supervision.restart(f"tunnel-{bond_id}", reason)

    async def _report_restarts(self) -> None:
        try:
            found = await self._supervision.ask(programs.Status())
        except NoAnswer:
            return
        before, self._restarts = self._restarts, {p.name: p.restarts for p in found}
        if before is not None:
            for program in risen(found, before):
                self._reporter.add(_restarted(program))


def risen(
    found: Iterable[programs.ProgramStatus], before: dict[str, int]
) -> list[programs.ProgramStatus]:
    """Return the programs that were restarted since. Pure."""
    return [program for program in found if program.restarts > before.get(program.name, 0)]


def _restarted(program: programs.ProgramStatus) -> Callable[[int], ProgramRestarted]:
    return lambda number: ProgramRestarted(
        number=number,
        at_ms=clock.wall_ms(),
        program=program.name,
        reason=program.reason,
        count=program.restarts,
    )
