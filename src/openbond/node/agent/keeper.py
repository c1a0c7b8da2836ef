"""Brings the machine to what is wanted, and again whenever something changed (§1.8, step 2)."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from openbond.node.daemon_messages import decode_settings
from openbond.node.errors import NodeError
from openbond.node.linux.host import Outcome, sentences_of
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import Add, Plan, Step
from openbond.node.plan.difference import plan as plan_steps
from openbond.node.plan.facts import Facts
from openbond.node.plan.trunks import tunnel_ids
from openbond.node.plan.values import Desired, Observed, RunningProgram
from openbond.wire.config import NodeContent
from openbond.wire.reports import Problem

from .daemons import Daemons
from .supervision import Supervision

log = structlog.get_logger()


class Host(Protocol):
    """The machine, as the keeper needs it; linux/host.py is the real one."""

    def observe(self, desired: Desired) -> Observed: ...

    def apply(self, steps: tuple[Step, ...]) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """What one apply came to."""

    steps: int
    warnings: tuple[Problem, ...]
    failures: tuple[Problem, ...]


class Keeper:
    """Holds the content in force and keeps the machine in step with it."""

    def __init__(
        self,
        host: Host,
        daemons: Daemons,
        facts: Callable[[NodeContent], Facts],
        supervision: Supervision,
        on_kept: Callable[[NodeContent, "Applied"], None],
    ) -> None:
        self._host = host
        self._daemons = daemons
        self._facts = facts
        self._supervision = supervision
        self._on_kept = on_kept
        self._turn = asyncio.Lock()
        self.content: NodeContent | None = None
        self.observed = Observed()
        self.last = Applied(0, (), ())
        self.again = asyncio.Event()

    async def plan(self, content: NodeContent) -> Plan:
        """Return the steps to a content, without doing them. Raises NodeError."""
        async with self._turn:
            _, found = await self._plan(content)
            return found

    async def apply(self, content: NodeContent) -> Applied:
        """Make a content the one in force.

        Raises NodeError when the apply failed as a whole; refused steps are in the answer.
        """
        async with self._turn:
            self.content = content
            self._daemons.attach(tunnel_ids(content))
            return await self._apply(content)

    async def rebuild(self, bond_ids: Collection[int]) -> None:
        """Take the things of some bonds away and build them again (behaviour 1.10).

        All at once: an aggregator shall restart 150 bonds in 80 s. Raises NodeError.
        """
        async with self._turn:
            content = self.content
            if content is None:
                return
            others = [bond for bond in content.bonds if bond.id not in bond_ids]
            await self._apply(msgspec.structs.replace(content, bonds=others))
            await self._apply(content)

    async def keep(self) -> None:
        """Look again whenever something changed, for ever."""
        while True:
            await self.again.wait()
            # One change seldom comes alone: wait for its neighbours.
            await asyncio.sleep(0.05)
            self.again.clear()
            async with self._turn:
                if self.content is None:
                    continue
                try:
                    await self._apply(self.content)
                except NodeError as failure:
                    log.error("the machine could not be kept in step", why=str(failure))

    async def _plan(self, content: NodeContent) -> tuple[Desired, Plan]:
        try:
            desired = desired_for(content, self._facts(content))
        except ValueError as error:
            # A value that no kernel could take, e.g. an address that is none.
            raise NodeError(f"the config cannot be applied: {error}") from error
        self.observed = await asyncio.to_thread(self._host.observe, desired)
        return desired, plan_steps(desired=desired, observed=self.observed)

    async def _apply(self, content: NodeContent) -> Applied:
        desired, found = await self._plan(content)
        outcome = Outcome((), ())
        if found.steps:
            outcome = await asyncio.to_thread(self._host.apply, found.steps)
        self._tell_daemons(desired, outcome)
        if any(isinstance(step.item, RunningProgram) for step in outcome.reached):
            await self._supervision.reload()
        applied = Applied(
            len(found.steps),
            _problems([*found.warnings, *sentences_of(outcome.waiting)]),
            _problems(sentences_of(outcome.failed)),
        )
        self._note(applied, outcome)
        self._on_kept(content, applied)
        return applied

    def _tell_daemons(self, desired: Desired, outcome: Outcome) -> None:
        written = {step.item for step in outcome.reached if isinstance(step, Add)}
        for file in desired.files:
            if file.bond_id in self._daemons.links:
                self._daemons.give_settings(
                    file.bond_id, decode_settings(file.text), changed=file in written
                )

    def _note(self, applied: Applied, outcome: Outcome) -> None:
        for step in outcome.reached:
            log.info("step", done=str(step))
        # A failure is said once, not at every look.
        for problem in applied.failures:
            if problem not in self.last.failures:
                log.error("step failed", about=problem.about, why=problem.text)
        for problem in applied.warnings:
            if problem not in self.last.warnings:
                log.warning("warning", about=problem.about, why=problem.text)
        self.last = applied


def _problems(pairs: Iterable[tuple[str, str]]) -> tuple[Problem, ...]:
    return tuple(Problem(about=about, text=text) for about, text in pairs)
