"""Which trouble strikes which legs, step by step: a pure function of the seed (item 57).

Every set of legs meets every trouble once before any of them comes again. Half of the steps strike
while the trouble of the step before still lasts and end it in the same moment, so that the bond
goes from any set of working legs to any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from random import Random

STEPS_MOST = 10_000


class Trouble(Enum):
    """What may happen to a line; the value is how it reads in the list of steps."""

    DOWN = "down"
    LOSSY = "lossy"
    SLOW = "slow"
    DELAYED = "delayed"
    RENUMBERED = "renumbered"
    DEAD_UP = "dead up"
    DEAD_DOWN = "dead down"
    NAT_MOVED = "NAT port changed"
    NARROW = "MTU lowered"

    @property
    def breaks_leg(self) -> bool:
        """Say whether a leg with this trouble can carry no traffic."""
        return self in (Trouble.DOWN, Trouble.DEAD_UP, Trouble.DEAD_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `legs`: line numbers. `from_whole`: the trouble before is mended and the bond whole
    again before this one strikes.
    """

    number: int
    trouble: Trouble
    legs: tuple[int, ...]
    from_whole: bool

    def words(self) -> str:
        how = "" if self.from_whole else ", the step before mended in the same moment"
        return f"{self.trouble.value} on {' and '.join(f'leg {leg}' for leg in self.legs)}{how}"


def plan_steps(*, seed: int, steps: int, legs: tuple[int, ...]) -> Iterator[Step]:
    """Yield so many steps; the same arguments give the same steps."""
    dice = Random(seed)  # noqa: S311  # an order that anybody may repeat
    subsets = [some for size in range(1, len(legs) + 1) for some in combinations(legs, size)]
    cards: list[tuple[Trouble, tuple[int, ...]]] = []
    for number in range(1, steps + 1):
        if not cards:
            cards = [(trouble, some) for trouble in Trouble for some in subsets]
            dice.shuffle(cards)
        trouble, some = cards.pop()
        yield Step(
            number=number,
            trouble=trouble,
            legs=some,
            from_whole=number == 1 or dice.random() < 0.5,
        )
