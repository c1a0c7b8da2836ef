"""The loop of the chaos suite: do a step, watch, and say what was not as it must be."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from msgspec import Struct

from openbond.lab.api import ApiClient
from openbond.lab.errors import LabError
from openbond.lab.layout import LINES
from openbond.lab.life import Lab
from openbond.lab.waiting import wait_until

from .deeds import Deeds
from .plan import Step, Trouble, plan_steps
from .witness import Witness

GAP_MOST = 3.0
RECOVERY_MOST = 3.0
# Patience, not promises: the machine may be busy with other things.
STATES_WITHIN = 15.0
WHOLE_WITHIN = 45.0
APPLIED_WITHIN = 100.0  # who missed the server asks again by its own patience (behaviour 1.5)
HOLD = 3.0

FIT = frozenset({"up", "unhealthy"})
IN_USE = FIT | {"testing", "adjusted"}
BROKEN = frozenset({"down"})
BROKEN_DOWNWARDS = BROKEN | {"handshaking"}
# Done after traffic is back: they ask the API or start programs, which is no part of a recovery.
TAKE_TIME = frozenset({Trouble.RENUMBERED, Trouble.NAT_MOVED})

Tell = Callable[[str], None]


class StepReport(Struct, frozen=True, kw_only=True):
    """What came of a step; seconds. None: nobody could be heard before, or after."""

    number: int
    words: str
    gap: float | None
    recovery: float | None
    violations: list[str]


class ChaosReport(Struct, frozen=True, kw_only=True):
    seed: int
    steps: list[StepReport]

    @property
    def violations(self) -> list[str]:
        return [f"step {step.number}, {step.words}: {words}"
                for step in self.steps for words in step.violations]  # fmt: skip

    @property
    def longest_gap(self) -> float:
        return max((step.gap for step in self.steps if step.gap is not None), default=0.0)

    @property
    def longest_recovery(self) -> float:
        found = (step.recovery for step in self.steps if step.recovery is not None)
        return max(found, default=0.0)


def run_chaos(
    lab: Lab, api: ApiClient, directory: Path, *, seed: int, steps: int, tell: Tell
) -> ChaosReport:
    """Bring so many troubles over a lab that is up and whole, and mend it again.

    `directory` takes reports of streams; `tell` hears a line per step. Raises LabError when the lab
    itself does not work.
    """
    chaos = Chaos(lab, api, directory, seed)
    reports = []
    chaos.begin()
    try:
        for step in plan_steps(seed=seed, steps=steps, legs=tuple(chaos.lines)):
            report = chaos.do(step)
            reports.append(report)
            tell(_line(report, steps))
        last = chaos.mend_last(steps + 1)
        tell(_line(last, steps))
    finally:
        chaos.end()
    return ChaosReport(seed=seed, steps=[*reports, last])


class Chaos:
    """The state of the lab's lines between steps."""

    def __init__(self, lab: Lab, api: ApiClient, directory: Path, seed: int) -> None:
        self.lines = {line.number: line for line in LINES}
        self._lab = lab
        # Dice of its own: which ports an address translation gets does not change the order.
        self._deeds = Deeds(lab, api, Random(seed))  # noqa: S311
        self._witness = Witness(lab, api, directory)
        self._struck: dict[int, Trouble] = {}
        self._failed_before = 0
        self._violations: list[str] = []
        self._recovery: float | None = None

    def begin(self) -> None:
        self._witness.begin()
        self._failed_before = self._witness.failed_updates()
        self._processes = self._witness.processes()

    def end(self) -> None:
        """End the streams, and leave the lines whole whatever happened."""
        self._witness.end()
        for number, trouble in self._struck.items():
            with contextlib.suppress(LabError):  # what went wrong before is told, not this
                self._deeds.mend(self.lines[number], trouble)
        for line in self.lines.values():
            self._lab.topology.reset(line)

    def do(self, step: Step) -> StepReport:
        """Do one step and judge it."""
        self._violations, self._recovery = [], None
        gaps = []
        if step.from_whole and self._struck:
            gaps.append(self._change({}))
            self._expect_whole()
        gaps.append(self._change(dict.fromkeys(step.legs, step.trouble)))
        return self._report(step.number, step.words(), gaps)

    def mend_last(self, number: int) -> StepReport:
        """Mend all, and let the bond become whole."""
        self._violations, self._recovery = [], None
        gap = self._change({})
        self._expect_whole()
        return self._report(number, "all mended", [gap])

    # -- one change -------------------------------------------------------------------------------

    def _change(self, wanted: dict[int, Trouble]) -> float | None:
        """Bring the lines from one set of troubles to another; return the longest gap, or None when
        no leg works now.
        """
        worked, works = self._some_leg_works(self._struck), self._some_leg_works(wanted)
        late = {number: trouble for number, trouble in wanted.items() if trouble in TAKE_TIME}
        begun = time.monotonic()
        self._reshape({number: wanted[number] for number in wanted if number not in late})
        self._struck = wanted
        if works and not worked:
            self._expect_recovery(begun)
        for number, trouble in late.items():
            self._deeds.strike(self.lines[number], trouble)
        self._expect_states()
        time.sleep(HOLD)
        gap = self._witness.longest_gap()
        self._expect_the_rest(works=works)
        if not works:
            return None
        if gap > GAP_MOST:
            self._violations.append(f"a gap of {gap:.2f} s although a leg works")
        return gap

    def _reshape(self, wanted: dict[int, Trouble]) -> None:
        for number, line in self.lines.items():
            if number in self._struck:
                self._deeds.mend(line, self._struck[number])
            if number in wanted:
                self._deeds.strike(line, wanted[number])

    def _some_leg_works(self, troubles: dict[int, Trouble]) -> bool:
        return any(
            number not in troubles or not troubles[number].breaks_leg for number in self.lines
        )

    # -- what must hold ---------------------------------------------------------------------------

    def _expect_recovery(self, since: float) -> None:
        self._recovery = self._witness.time_until_heard(since)
        if self._recovery > RECOVERY_MOST:
            self._violations.append(f"traffic came back only after {self._recovery:.2f} s")

    def _expect_states(self) -> None:
        wanted = {number: self._may_read(number) for number in self.lines}
        self._expect_to_read(wanted, STATES_WITHIN)

    def _may_read(self, number: int) -> frozenset[str]:
        if not self._is_broken(number):
            return IN_USE
        # Initiations still arrive, and the aggregator takes up each of them (behaviour 3.3).
        return BROKEN_DOWNWARDS if self._struck.get(number) is Trouble.DEAD_DOWN else BROKEN

    def _expect_whole(self) -> None:
        self._expect_to_read(dict.fromkeys(self.lines, FIT), WHOLE_WITHIN)
        self._expect(
            lambda: self._witness.updates_under_way() == 0, APPLIED_WITHIN,
            lambda: f"{self._witness.updates_under_way()} config updates are stuck",
        )  # fmt: skip

    def _expect_to_read(self, wanted: dict[int, frozenset[str]], patience: float) -> None:
        def do_read() -> bool:
            states = self._witness.states()
            return all(states[number] in some for number, some in wanted.items())

        self._expect(do_read, patience, lambda: f"the legs read {self._witness.states()}")

    def _expect_the_rest(self, *, works: bool) -> None:
        if self._witness.heard_twice:
            self._violations.append(
                f"{self._witness.heard_twice} packets came out of the bond twice"
            )
        processes = self._witness.processes()
        if processes != self._processes:
            self._violations.append(f"a program was started anew: {processes}")
            self._processes = processes
        failed = self._witness.failed_updates()
        if works and failed > self._failed_before:
            self._violations.append(f"{failed - self._failed_before} config updates failed")
        self._failed_before = failed

    def _expect(self, is_so: Callable[[], bool], patience: float, words: Callable[[], str]) -> None:
        try:
            wait_until(is_so, what="", patience=patience, pause=0.1)
        except LabError:
            self._violations.append(f"{words()} after {patience:g} s")

    def _is_broken(self, number: int) -> bool:
        return number in self._struck and self._struck[number].breaks_leg

    def _report(self, number: int, words: str, gaps: list[float | None]) -> StepReport:
        return StepReport(
            number=number,
            words=words,
            gap=max((gap for gap in gaps if gap is not None), default=None),
            recovery=self._recovery,
            violations=self._violations,
        )


def _line(report: StepReport, steps: int) -> str:
    words = [f"{report.number}/{steps}  {report.words}"]
    if report.gap is not None:
        words.append(f"gap {report.gap:.2f} s")
    if report.recovery is not None:
        words.append(f"back after {report.recovery:.2f} s")
    words += [f"NOT SO: {each}" for each in report.violations]
    return "; ".join(words)
