"""Waiting for an event, so long at most."""

import asyncio

import pytest

from openbond.node import clock


def test_an_event_ends_the_wait_and_so_does_the_time() -> None:
    async def story() -> tuple[bool, bool]:
        event = asyncio.Event()
        before = await clock.wait_at_most(0.01, event)
        asyncio.get_running_loop().call_soon(event.set)
        return before, await clock.wait_at_most(60.0, event)

    assert asyncio.run(story()) == (False, True)


@pytest.mark.parametrize("turns", range(4))
def test_who_is_cancelled_in_the_moment_of_the_event_ends_all_the_same(turns: int) -> None:
    """What asyncio.wait_for of Python 3.11 does not promise."""

    async def story() -> tuple[bool, bool]:
        event = asyncio.Event()
        waiting = asyncio.create_task(clock.wait_at_most(60.0, event))
        await asyncio.sleep(0)
        event.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        is_asked_to_end = waiting.cancel()
        await asyncio.wait([waiting])
        return is_asked_to_end, waiting.cancelled()

    is_asked_to_end, is_cancelled = asyncio.run(story())

    assert is_cancelled is is_asked_to_end
