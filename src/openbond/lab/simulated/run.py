"""Makes a fleet in a server's database, and plays it for a while."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from openbond.lab.errors import LabError
from openbond.server.control.many_connections import (
    keep_for_good,
    prepare_for_many_connections,
)

from .connection import Server
from .fleet import Fleet
from .roster import Roster

ROSTER = "simulated-fleet.json"
# Files for what is no poll: reports, the program itself, and some to spare.
OTHER_FILES = 600
WHOLE_WITHIN = 240.0  # s, beyond the ramp


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds: from one report of a kind to the next, to start all nodes in, to let them settle,
    to watch, then to change bonds, and between two such changes."""

    interval: float = 60.0
    ramp: float = 60.0
    settle: float = 10.0
    watch: float = 60.0
    change: float = 0.0
    change_every: float = 0.5


def make_fleet(state: Path, nodes: int) -> Roster:
    """Make what is missing of a fleet in the database of the server that owns `state`.

    Raises LabError.
    """
    files = prepare_for_many_connections()
    if nodes + OTHER_FILES > files:
        raise LabError(
            f"{nodes:,} nodes need {nodes + OTHER_FILES:,} open files, and this system allows "
            f"{files:,}. Raise the limit (ulimit -Hn), or simulate fewer."
        )
    roster = state / ROSTER
    argv = [sys.executable, "-m", "openbond.lab.simulated", str(state), str(nodes), str(roster)]
    environment = os.environ | {"OPENBOND_STATE_DIR": str(state)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise LabError(f"The fleet cannot be made: {last[0]}")
    return Roster.read(roster)


def play(
    roster: Roster,
    server: Server,
    plan: Plan,
    *,
    tell: Callable[[Fleet], None],
    begin: Callable[[Fleet], None],
    end: Callable[[Fleet], None],
) -> None:
    """Play a fleet: `begin` when all nodes are there and have settled, `end` when it was watched,
    `tell` once a second. Bonds are changed after that. Raises LabError when not all get there."""
    asyncio.run(_play(Fleet(roster, server, interval=plan.interval), plan, tell, begin, end))


async def _play(
    fleet: Fleet,
    plan: Plan,
    tell: Callable[[Fleet], None],
    begin: Callable[[Fleet], None],
    end: Callable[[Fleet], None],
) -> None:
    async with fleet.running(ramp=plan.ramp):
        await _become_whole(fleet, plan, tell)
        keep_for_good()
        await _wait(plan.settle, fleet, tell)
        fleet.seen.begin()
        begin(fleet)
        await _wait(plan.watch, fleet, tell)
        end(fleet)
        changing = asyncio.create_task(fleet.change(pause=plan.change_every))
        await _wait(plan.change, fleet, tell)
        changing.cancel()
        with suppress(asyncio.CancelledError):
            await changing


async def _become_whole(fleet: Fleet, plan: Plan, tell: Callable[[Fleet], None]) -> None:
    until = time.monotonic() + plan.ramp + WHOLE_WITHIN
    while not fleet.is_whole:
        if time.monotonic() > until:
            why = ", ".join(text for text, _ in fleet.seen.failures.most_common(2))
            raise LabError(
                f"{fleet.seen.held:,} of {len(fleet.roster.members):,} nodes hold a poll, and no "
                f"more come. {why}"
            )
        await _wait(1.0, fleet, tell)


async def _wait(seconds: float, fleet: Fleet, tell: Callable[[Fleet], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(1.0, left))
        tell(fleet)
