"""From a fetched config to last-good, or back (behaviour 1.8).

fetched ─► verify ─► apply ─► confirm ─► last-good ─► reported applied
             │         │         │
          refused   rolled back to last-good ─► reported with the reason
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from openbond.node import clock, store
from openbond.node.configs import ConfigStore, Stage, StoredConfig
from openbond.node.confirm import Condition, Confirmation, Held, Verdict
from openbond.node.errors import NodeError
from openbond.node.verify import Refusal, Verifier
from openbond.wire.config import BondConfig, NodeContent
from openbond.wire.reports import ConfigApplied, ConfigRefused, ConfigRolledBack, Problem
from openbond.wire.states import LinkMode, RollbackReason

from .keeper import Applied, Keeper
from .reporting import Reporter
from .tunnels import TunnelStates

log = structlog.get_logger()

LOOK_EVERY_S = 0.25
# A change may need this long to show that it broke the tunnel: 5 probes of the slowest pace (§2.13)
# are heard of within 2.5 s.
SETTLE_S = 3.0
FLUSH_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A verified config on its way."""

    config: StoredConfig
    content: NodeContent

    @property
    def revision(self) -> int:
        return self.config.envelope.revision


class Lifecycle:
    """Owns the configs on disk and decides which one is in force."""

    def __init__(
        self,
        configs: ConfigStore,
        verifier: Verifier,
        keeper: Keeper,
        reporter: Reporter,
        tunnels: TunnelStates,
        on_applied: Callable[[NodeContent], None],
    ) -> None:
        self._configs = configs
        self._verifier = verifier
        self._keeper = keeper
        self._reporter = reporter
        self._tunnels = tunnels
        self._on_applied = on_applied
        self._next: Trial | None = None
        self._arrived = asyncio.Event()
        self.last_good: StoredConfig | None = None
        self.trying: StoredConfig | None = None
        self.last_error = ""
        # Set after a roll-back: the poll in flight claims a revision this node no longer has.
        self.rolled_back = asyncio.Event()

    # -------------------------------------------------------------------------------------- boot

    async def boot(self, attach: Callable[[NodeContent], Awaitable[None]]) -> None:
        """Bring back the last-good config without asking anybody (behaviour 1.8, Boot).

        `attach` finds the programs that run already, before the first look at the kernel.
        """
        interrupted = self._finish_journal()
        found = self._newest_whole()
        if found is None:
            if interrupted is not None:
                self._start_over(interrupted)
            return
        self.last_good = found.config
        if interrupted is not None:
            self._report_rollback(
                interrupted,
                RollbackReason.APPLY_FAILED,
                [Problem(about="node", text="the agent ended before the config was confirmed")],
            )
        await attach(found.content)
        with contextlib.suppress(NodeError):
            await self._apply(found.content)
            self._on_applied(found.content)

    def _finish_journal(self) -> StoredConfig | None:
        """Finish what was confirmed; return what was not."""
        journal = self._configs.journal()
        if journal is None:
            return None
        if journal.stage is Stage.CONFIRMED:
            self._configs.finish(journal.config)
            return None
        self._configs.forget_journal()
        return journal.config

    def _newest_whole(self) -> Trial | None:
        for read in (self._configs.last_good, self._configs.previous):
            try:
                config = read()
                if config is not None:
                    # The clock of a machine that was off is not to be trusted.
                    return Trial(config, self._verifier.verify(config, newest=None, now=None))
            except (store.Damaged, Refusal) as damage:
                log.error("a stored config cannot be used", why=str(damage))
        return None

    def _start_over(self, config: StoredConfig) -> None:
        """A first config has nothing to roll back to: it is tried again."""
        with contextlib.suppress(Refusal):
            self._accept(config)

    # ------------------------------------------------------------------------------ taking one in

    @property
    def claimed(self) -> StoredConfig | None:
        """Return the newest config this node took: applied, or being applied now."""
        return self.trying or self.last_good

    @property
    def is_decommissioned(self) -> bool:
        return self._keeper.content is not None and self._keeper.content.decommission

    def take(self, config: StoredConfig) -> None:
        """Verify a fetched config and put it in line. Raises Refusal, which is reported."""
        try:
            self._accept(config)
        except Refusal as refusal:
            revision, reason, detail = config.envelope.revision, refusal.reason, str(refusal)
            self.last_error = f"config {revision} refused: {detail}"
            log.error("config refused", revision=revision, reason=reason, why=detail)
            self._reporter.add(
                lambda number: ConfigRefused(
                    number=number,
                    at_ms=clock.wall_ms(),
                    revision=revision,
                    reason=reason,
                    detail=detail,
                )
            )
            raise

    def _accept(self, config: StoredConfig) -> None:
        now = datetime.fromtimestamp(clock.wall_ms() / 1000, UTC)
        content = self._verifier.verify(config, newest=self.last_good, now=now)
        self.trying = config
        self._next = Trial(config, content)
        self._arrived.set()

    # -------------------------------------------------------------------------------- trying one

    async def run(self) -> None:
        """Try what comes in, for ever; a newer one cuts the wait for an older one short."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            trial = self._next
            if trial is None:
                continue
            try:
                await self._try(trial)
            except Exception:
                # A defect of ours must not leave the node on a config that nobody confirmed.
                log.exception("a config could not be tried", revision=trial.revision)
                problem = Problem(about="node", text="a defect of the agent; its log says more")
                await self._roll_back(trial, RollbackReason.APPLY_FAILED, [problem])

    async def _try(self, trial: Trial) -> None:
        required = self._required(trial.content, clock.monotonic())
        while True:
            outcome = await self._try_once(trial, required)
            newer = self._next
            if outcome is not None or newer is None or newer is trial:
                return
            # What held before the first of them must hold after the last.
            trial = newer
            self._arrived.clear()

    async def _try_once(self, trial: Trial, required: frozenset[Condition]) -> bool | None:
        """Report whether the config stayed; None when a newer one came in between."""
        try:
            planned = await self._keeper.plan(trial.content)
            self._configs.begin(trial.config, [str(step) for step in planned.steps])
            applied = await self._apply(trial.content)
        except NodeError as failure:
            problem = Problem(about="node", text=str(failure))
            await self._roll_back(trial, RollbackReason.APPLY_FAILED, [problem])
            return False
        forced = trial.config.envelope.forced or self.last_good is None
        confirmation = await self._confirmed(trial, applied, required, forced=forced)
        if confirmation is None:
            return None
        if confirmation.open:
            await self._roll_back(trial, confirmation.reason, list(applied.failures))
            return False
        self._keep(trial, applied)
        return True

    async def _apply(self, content: NodeContent) -> Applied:
        applied = await self._keeper.apply(content)
        self._tunnels.forget_others([bond.id for bond in content.bonds])
        return applied

    async def _confirmed(
        self,
        trial: Trial,
        applied: Applied,
        required: frozenset[Condition],
        *,
        forced: bool,
    ) -> Confirmation | None:
        """Wait for the conditions; None when a newer config arrived meanwhile."""
        began = clock.monotonic()
        confirmation = Confirmation.begin(required=required, forced=forced, now=began)
        settled = began + (SETTLE_S if applied.steps else 0.0)
        self._reporter.exchange_now()
        while confirmation.verdict(clock.monotonic()) is Verdict.WAIT:
            if self._next is not trial:
                return None
            if self._reporter.has_exchanged_since(began):
                confirmation = confirmation.met(Condition.SERVER)
            if clock.monotonic() >= settled and self._tunnel_is_up(trial.content):
                confirmation = confirmation.met(Condition.TUNNEL)
            if confirmation.open:
                await asyncio.sleep(LOOK_EVERY_S)
        return confirmation

    def _required(self, content: NodeContent, now: float) -> frozenset[Condition]:
        hoped = [bond.id for bond in content.bonds if _can_be_up(bond)]
        tunnel = self._tunnels.last_up(hoped, now=now)
        return Held(tunnel=tunnel, server=self._reporter.last_exchange).required(now)

    def _tunnel_is_up(self, content: NodeContent) -> bool:
        return any(self._tunnels.is_up(bond.id) for bond in content.bonds)

    # ----------------------------------------------------------------------------- how it ended

    def _keep(self, trial: Trial, applied: Applied) -> None:
        self._configs.confirm(trial.config)
        self.last_good, self.trying = trial.config, None
        envelope = trial.config.envelope
        self.last_error = ""
        log.info("config applied", revision=envelope.revision, steps=applied.steps)
        self._reporter.add(
            lambda number: ConfigApplied(
                number=number,
                at_ms=clock.wall_ms(),
                revision=envelope.revision,
                hash=envelope.hash,
                steps=applied.steps,
                warnings=list(applied.warnings),
                failures=list(applied.failures),
            )
        )
        self._on_applied(trial.content)

    async def _roll_back(
        self, trial: Trial, reason: RollbackReason, objects: list[Problem]
    ) -> None:
        self._configs.forget_journal()
        self.trying = None
        if self.last_good is not None:
            before = self._verifier.verify(self.last_good, newest=None, now=None)
            with contextlib.suppress(NodeError):
                await self._apply(before)
        self._report_rollback(trial.config, reason, objects)
        # The server must know before it is asked again, or it offers the same revision at once.
        await self._reporter.flushed(within_s=FLUSH_WITHIN_S)
        self.rolled_back.set()

    def _report_rollback(
        self, config: StoredConfig, reason: RollbackReason, objects: list[Problem]
    ) -> None:
        revision = config.envelope.revision
        self.last_error = f"config {revision} rolled back: {reason}"
        log.error("config rolled back", revision=revision, reason=reason)
        self._reporter.add(
            lambda number: ConfigRolledBack(
                number=number,
                at_ms=clock.wall_ms(),
                revision=revision,
                reason=reason,
                objects=objects,
            )
        )


def _can_be_up(bond: BondConfig) -> bool:
    return any(leg.link_mode is not LinkMode.OFFLINE for leg in bond.legs)
