"""The shapes of behaviour 7.3: pairs and triples of lines on which a bond must not disappoint.

Written as there, in round trips: a line of 20 ms ±10 has 10 ms ±5 in each direction. Loss strikes
each direction.
"""

from dataclasses import dataclass

from .lines import LineShape

SWING_EVERY = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One row of the matrix. `has_sum`: marked there with a dagger, eight flows get the sum.
    `swings_to`: the last line falls to so many Mbit/s and comes back, every SWING_EVERY seconds.
    """

    number: int
    words: str
    lines: tuple[LineShape, ...]
    has_sum: bool = False
    adapts: bool = False
    swings_to: float | None = None

    def total(self, *, is_down: bool) -> float:
        """Return what all lines carry together, Mbit/s of IP packets, on average over time."""
        total = sum(line.rate(is_down=is_down) or 0.0 for line in self.lines)
        if self.swings_to is None:
            return total
        return total - ((self.lines[-1].mbps or 0.0) - self.swings_to) / 2

    def candidates(self, *, is_down: bool) -> list[int]:
        """Return the numbers of the legs that may be the best one alone: one of each shape, and
        none that carries less than CANDIDATE_SHARE of the fastest.
        """
        rates = [line.rate(is_down=is_down) or 0.0 for line in self.lines]
        if self.swings_to is not None:
            rates[-1] = (rates[-1] + self.swings_to) / 2
        found: dict[LineShape, int] = {}
        for number, (line, rate) in enumerate(zip(self.lines, rates, strict=True), 1):
            if rate >= CANDIDATE_SHARE * max(rates):
                found.setdefault(line, number)
        return list(found.values())


CANDIDATE_SHARE = 0.75


def _line(mbps: float, rtt: float, **more: float) -> LineShape:
    """Return a line of so many Mbit/s and ms of round trip; `jitter` in ms of it, `loss` in %."""
    return LineShape(
        mbps=mbps,
        up_mbps=more.get("up"),
        delay_ms=rtt / 2,
        jitter_ms=more.get("jitter", 0.0) / 2,
        loss_percent=more.get("loss", 0.0),
        told_mbps=more.get("told"),
    )


PROFILES = (
    Profile(number=1, words="equal", lines=(_line(20, 20), _line(20, 20)), has_sum=True),
    Profile(number=2, words="equal, faster", lines=(_line(50, 10), _line(50, 10)), has_sum=True),
    Profile(number=3, words="nearly equal", lines=(_line(50, 20), _line(40, 30)), has_sum=True),
    Profile(
        number=4, words="three alike", has_sum=True,
        lines=(_line(50, 15), _line(50, 15), _line(50, 15)),
    ),
    Profile(number=5, words="3 : 1", lines=(_line(50, 20), _line(15, 40)), has_sum=True),
    Profile(
        number=6, words="3 : 1, the slow one jitters",
        lines=(_line(50, 20), _line(15, 20, jitter=10)),
    ),
    Profile(number=7, words="10 : 1", lines=(_line(100, 10), _line(10, 60))),
    Profile(number=8, words="fibre and LTE", lines=(_line(200, 8), _line(30, 45, jitter=15))),
    Profile(number=9, words="alike but far", lines=(_line(30, 20), _line(30, 120))),
    Profile(number=10, words="one loses 3 %", lines=(_line(20, 20), _line(20, 20, loss=3))),
    Profile(number=11, words="one loses 10 %", lines=(_line(20, 20), _line(20, 20, loss=10))),
    Profile(
        number=12, words="2 : 1, the slow one jitters much",
        lines=(_line(40, 30), _line(20, 40, jitter=30)),
    ),
    Profile(
        number=13, words="three DSL, slow up",
        lines=(_line(25, 25, up=2), _line(16, 35, up=1), _line(8, 50, up=1)),
    ),
    Profile(number=14, words="DSL and satellite", lines=(_line(10, 30), _line(5, 600))),
    Profile(
        number=15, words="speed falls and returns, adaptation on",
        lines=(_line(50, 20), _line(50, 20)), adapts=True, swings_to=10,
    ),
    Profile(
        number=16, words="configured 50, really 20, adaptation off",
        lines=(_line(50, 20), _line(20, 20, told=50)),
    ),
)  # fmt: skip
