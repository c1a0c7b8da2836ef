"""Measure one shape of the matrix: the bond against its best leg alone, and against the sum.

All in one run on the same two daemons: for a leg alone the others are set to `idle`. Bond and legs
take turns, and the median of the turns counts. First the lines are measured bare, all at once, so
that a relay which cannot carry them is found out.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from statistics import median

import msgspec

from openbond.lab.errors import LabError

from .pair import Pair
from .profiles import SWING_EVERY, Profile
from .rows import Row
from .traffic import raw_mbps, tcp_mbps

FLOWS = (1, 8)
BEST_LEG_LEAST = 0.95
SUM_LEAST = 0.85
RAW_LEAST = 0.95
RAW_SECONDS = 2.0
WARM_UP = 3.0
SETTLE = 12.0  # loss counts over 10 s (behaviour 2.13)


class Matrix:
    """Measures on a pair that is up. `say` is told what is being done; times in seconds."""

    def __init__(
        self,
        pair: Pair,
        profile: Profile,
        *,
        say: Callable[[str], None],
        rounds: int,
        seconds: float,
    ) -> None:
        self._pair = pair
        self._profile = profile
        self._say = say
        self._rounds = rounds
        self._seconds = seconds
        self._stop = threading.Event()

    def rows(self) -> Iterator[Row]:
        """Yield the rows of this shape, each as soon as it is measured. Raises LabError."""
        self._tell("the lines bare")
        # Clean: iperf3 waits for ever when its first packet is lost.
        self._pair.lines.shape_all(is_clean=True)
        for is_down in (True, False):
            yield self._raw(is_down=is_down)
        self._pair.lines.shape_all()
        if any(line.loss_percent for line in self._profile.lines):
            self._tell("the legs are observed for a while")
            self._stop.wait(SETTLE)
        with self._swinging():
            for is_down, flows in product((True, False), FLOWS):
                yield from self._against_best_leg(is_down=is_down, flows=flows)

    def _raw(self, *, is_down: bool) -> Row:
        lines = self._profile.lines
        carried = raw_mbps(self._pair, is_down=is_down, seconds=RAW_SECONDS)
        due = [line.rate(is_down=is_down) or 0.0 for line in lines]
        return Row(
            name=f"{self._name(is_down)}, lines bare",
            value=sum(carried) / sum(due),
            unit="of their rate",
            least=RAW_LEAST,
            detail=" + ".join(f"{mbps:.1f}" for mbps in carried) + " Mbit/s at once",
            figures={f"line_{n}_mbps": mbps for n, mbps in enumerate(carried, 1)},
        )

    def _against_best_leg(self, *, is_down: bool, flows: int) -> list[Row]:
        everything = range(1, len(self._profile.lines) + 1)
        candidates = self._profile.candidates(is_down=is_down)
        bond: list[float] = []
        spills: set[str] = set()
        alone: dict[int, list[float]] = {number: [] for number in candidates}
        for turn in range(1, self._rounds + 1):
            words = f"{self._way(is_down)}, {_flows(flows)}, turn {turn} of {self._rounds}"
            for number in candidates:
                self._tell(f"leg {number} alone, {words}")
                alone[number].append(self._measure([number], is_down=is_down, flows=flows))
            self._tell(f"the bond, {words}")
            bond.append(self._measure(everything, is_down=is_down, flows=flows))
            spills |= self._pair.spill_reasons(is_down=is_down)
        medians = {number: median(found) for number, found in alone.items()}
        best = max(medians, key=lambda number: medians[number])
        rows = self._judged(median(bond), best, medians[best], is_down=is_down, flows=flows)
        words = "; ".join([rows[0].detail, *sorted(spills)])
        return [msgspec.structs.replace(rows[0], detail=words), *rows[1:]]

    def _measure(self, legs: "range | list[int]", *, is_down: bool, flows: int) -> float:
        self._pair.use_only(legs)
        return tcp_mbps(
            self._pair, is_down=is_down, seconds=self._seconds, warm_up=WARM_UP, flows=flows
        )

    def _judged(
        self, bond: float, leg: int, alone: float, *, is_down: bool, flows: int
    ) -> list[Row]:
        name = f"{self._name(is_down)}, {_flows(flows)}"
        total = self._profile.total(is_down=is_down)
        share = bond / total
        detail = f"{bond:.1f} against {alone:.1f} Mbit/s of leg {leg}; {share:.2f} of the sum"
        figures = {"bond_mbps": bond, "best_leg_mbps": alone, "sum_mbps": total, "of_sum": share}
        rows = [
            Row(
                name=name,
                value=bond / alone if alone else float("inf"),
                unit="x best leg",
                least=BEST_LEG_LEAST,
                detail=detail,
                figures=figures,
            )
        ]
        if self._profile.has_sum and flows == max(FLOWS):
            rows.append(
                Row(
                    name=f"{name}, of the sum",
                    value=share,
                    unit="of the sum",
                    least=SUM_LEAST,
                    detail=f"{bond:.1f} of {total:g} Mbit/s",
                )
            )
        return rows

    def _name(self, is_down: bool) -> str:
        return f"{self._profile.number} {self._profile.words}, {self._way(is_down)}"

    def _way(self, is_down: bool) -> str:
        return "down" if is_down else "up"

    def _tell(self, words: str) -> None:
        self._say(f"{self._profile.number} {self._profile.words}: {words}")

    @contextmanager
    def _swinging(self) -> Iterator[None]:
        """Let the last line fall and come back while the block runs, if the profile says so."""
        if self._profile.swings_to is None:
            yield
            return
        thread = threading.Thread(target=self._swing, args=(self._profile.swings_to,))
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _swing(self, low: float) -> None:
        number, high = len(self._profile.lines), self._profile.lines[-1].mbps
        rates = (low, high)
        turn = 0
        while not self._stop.wait(SWING_EVERY):
            try:
                self._pair.lines.set_rate(number, down=rates[turn % 2], up=rates[turn % 2])
            except LabError:
                return  # the namespaces are gone: the measurement ended in an error of its own
            turn += 1


def _flows(count: int) -> str:
    return "one flow" if count == 1 else f"{count} flows"
