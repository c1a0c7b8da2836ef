"""What share of a leg's packets came after their hold had ended (behaviour 2.7, finding "late")."""

from collections import deque

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
        late_before, packets_before = self._samples[0]
        came = packets - packets_before
        return (late - late_before) / came if came >= PACKETS_LEAST else None
