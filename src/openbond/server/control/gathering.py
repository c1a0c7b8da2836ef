"""When to look for changes that were heard of: once each had time for others to join it (1.7)."""

import asyncio


class Gathering:
    """Changes come by `hear`, on the loop; `ripe` waits until it is worth while to look for them.

    `seconds`: how old a change must be to be found by a look.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard = asyncio.Event()
        self._first = self._last = 0.0

    def hear(self) -> None:
        self._hear(asyncio.get_running_loop().time())

    async def ripe(self, within: float) -> None:
        """Return when the first change since the last time is old enough, or after `within` s.

        What came while a look went on has waited already, and does so no second time.
        """
        try:
            # Not wait_for: in Python 3.11 it forgets, now and then, that it was cancelled.
            async with asyncio.timeout(within):
                await self._heard.wait()
        except TimeoutError:
            return
        self._heard.clear()
        first, last = self._first, self._last
        await asyncio.sleep(self._until(first))
        if self._until(last) > 0:
            self._hear(last)  # too young for the look that follows: one more is due after it

    def _hear(self, at: float) -> None:
        if not self._heard.is_set():
            self._first = at
            self._heard.set()
        self._last = at

    def _until(self, at: float) -> float:
        """Return the seconds until a change is old enough that was heard then."""
        return at + self._seconds - asyncio.get_running_loop().time()
