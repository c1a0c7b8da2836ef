"""A change is looked for when it is old enough: not later, and none is forgotten (1.7)."""

import asyncio

from openbond.server.control.gathering import Gathering
from tests.node.virtual_time import run_virtually

GATHERED_FOR = 0.2
WITHIN = 0.5


class Looks:
    """Looks for changes as `Background` does: each takes a while, and finds those old enough."""

    def __init__(self, *, taking: float) -> None:
        self.gathering = Gathering(GATHERED_FOR)
        self.found: dict[str, float] = {}
        self._taking = taking
        self._made: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self.began: list[float] = []

    async def go_on(self) -> None:
        while True:
            now = self._loop.time()
            self.began.append(now)
            found = [name for name, at in self._made.items() if at <= now - GATHERED_FOR]
            await asyncio.sleep(self._taking)
            for name in found:
                self.found[name] = self._loop.time() - self._made.pop(name)
            await self.gathering.ripe(WITHIN)

    async def change(self, name: str, *, at: float) -> None:
        """Make a change, `at` s after the start."""
        await asyncio.sleep(at)
        self._made[name] = self._loop.time()
        self.gathering.hear()


def found_of(*times: float, taking: float) -> tuple[list[float], int]:
    """Return after how long each change was found, and how many looks there were in two seconds."""

    async def play() -> tuple[list[float], int]:
        looks = Looks(taking=taking)
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(looks.go_on())
            for number, at in enumerate(times):
                tasks.create_task(looks.change(str(number), at=at))
            await asyncio.sleep(2.0)
            looking.cancel()
        return [round(looks.found[str(n)], 3) for n in range(len(times))], len(looks.began)

    return run_virtually(play())


def test_a_lone_change_is_found_after_the_time_of_gathering() -> None:
    after, _ = found_of(0.45, taking=0.01)

    assert after == [0.21]


def test_changes_that_follow_each_other_share_a_look() -> None:
    after, looks = found_of(0.45, 0.5, 0.6, taking=0.01)

    assert after[0] == 0.21
    assert max(after) <= 0.42
    assert looks <= 6  # by the clock alone there would be four


def test_what_came_while_a_look_went_on_waits_no_second_time() -> None:
    # The look for the first goes on from 0.65 to 0.95; the second is 0.35 s old when it ends.
    after, _ = found_of(0.45, 0.6, taking=0.3)

    assert after == [0.5, 0.65]


def test_a_change_too_young_for_the_look_is_looked_for_when_it_is_old_enough() -> None:
    # Heard together with an older one, at the end of a look; without a look of its own it would
    # be found by the clock only.
    after, _ = found_of(0.45, 0.66, 0.94, taking=0.3)

    assert after[2] <= 2 * 0.3 + GATHERED_FOR


def test_without_a_change_the_clock_decides() -> None:
    _, looks = found_of(taking=0.0)

    assert looks == 4


def test_who_is_cancelled_ends() -> None:
    async def play() -> bool:
        waiting = asyncio.create_task(Gathering(GATHERED_FOR).ripe(WITHIN))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
        return waiting.cancelled()

    assert run_virtually(play())
