"""One hook: started with its environment, given 30 s, and told of in words (behaviour 1.11)."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

PATIENCE_S = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def start_hook(
    path: Path, argument: str, variables: Mapping[str, str], *, patience_s: float = PATIENCE_S
) -> str:
    """Run a hook to its end; return in words what went wrong, "" if nothing.

    `argument`: `start` or `stop`. One that hangs is killed with everything it started.
    """
    try:
        running = await asyncio.create_subprocess_exec(
            path,
            argument,
            stdin=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={**variables, "PATH": PATH},
            start_new_session=True,
        )
    except OSError as refused:
        return f"cannot be started ({refused.strerror}): does its first line name a program?"
    try:
        code = await asyncio.wait_for(running.wait(), patience_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        await running.wait()
        return f"did not end within {patience_s:g} s and was killed"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else ""
