"""Run before ordinary programs: a packet that waits for the processor is late for the customer.

A raised weight, not real time: on a machine that is too slow for its lines, others still get their
share. Needs the rights that `drop_privileges` gives up, so it comes first.
"""

import os
from contextlib import suppress
from pathlib import Path

NICE = -10
_AUTOGROUP = Path("/proc/self/autogroup")


def go_before_others() -> bool:
    """Raise our weight; report whether that was allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except PermissionError:
        return False
    # Where Linux groups processes by session, nice counts only within one (sched(7), autogroup).
    # The group's own nice is ours to set only if nobody else leads the session.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(str(NICE))
    return True
