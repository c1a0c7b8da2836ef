"""What share of a leg's packets came after their hold had ended (behaviour 2.7, finding "late").

Once something holds a line up for 50 ms, all that was on it comes late, a twentieth of what came in
5 s and more: that is a hiccup and no trait of the leg. So the worst of the seconds does not count,
and a leg that is late again and again is found out a second later (ADR 0015).
"""

from collections import deque
from itertools import pairwise

WINDOW = 5  # samples, one a second
PACKETS_LEAST = 50


class LateMeter:
    """The receiving half of the finding; the peer, who sends on the leg, is told by echoes."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque([(0, 0)], maxlen=WINDOW + 1)

    def sample(self, late: int, packets: int) -> float | None:
        """Take both counts since the start, once a second; return the share of the last seconds.

        None while too few packets came to say.
        """
        self._samples.append((late, packets))
        seconds = [
            (after[0] - before[0], after[1] - before[1])
            for before, after in pairwise(self._samples)
        ]
        seconds.remove(max(seconds))
        late, came = (sum(counts) for counts in zip(*seconds, strict=True)) if seconds else (0, 0)
        return late / came if came >= PACKETS_LEAST else None
