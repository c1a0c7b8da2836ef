"""Loss on one leg: counted by the receiver from leg sequences, judged by the sender.

Behaviour 2.13, 3.4, 3.5. Every datagram of a keypair has the next leg sequence, probes included. A
number that did not come is lost; one that comes after later ones was late, not lost.
"""

from collections import deque
from dataclasses import dataclass

WINDOW = 10
LONG_WINDOW = 30
FEWEST = 50
LOW_SHARE = 0.4  # LOSS_LOW: at most this share of the threshold


@dataclass(slots=True)
class _Second:
    began_at: int
    heard: int = 0
    missing: int = 0


class LossMeter:
    """The receiving half: what came, what did not, in seconds of the last half minute."""

    def __init__(self) -> None:
        self._expected: dict[int, int] = {}  # session -> next leg sequence; newest two sessions
        self._seconds: deque[_Second] = deque(maxlen=LONG_WINDOW)

    def on_heard(self, session: int, first: int, count: int, now: float) -> None:
        """Note a run of new datagrams `first` to `first + count - 1` of a keypair."""
        second = self._second(int(now))
        second.heard += count
        expected = self._expected.get(session)
        if expected is None:
            self._begin(session, first + count)
        elif first >= expected:
            second.missing += first - expected
            self._expected[session] = first + count
        else:
            second.missing -= count

    def loss(self, now: float, window: int = WINDOW) -> float | None:
        """Return the lost share of the last `window` seconds; None: too few datagrams to say."""
        since = int(now) - window
        recent = [second for second in self._seconds if second.began_at > since]
        heard = sum(second.heard for second in recent)
        missing = max(0, sum(second.missing for second in recent))
        sent = heard + missing
        return missing / sent if sent >= FEWEST else None

    def restart(self) -> None:
        """Forget all: what was lost while the leg was down says nothing about it now."""
        self._expected.clear()
        self._seconds.clear()

    def _begin(self, session: int, expected: int) -> None:
        while len(self._expected) >= 2:
            del self._expected[next(iter(self._expected))]
        self._expected[session] = expected

    def _second(self, began_at: int) -> _Second:
        if not self._seconds or self._seconds[-1].began_at != began_at:
            self._seconds.append(_Second(began_at))
        return self._seconds[-1]


class LossJudge:
    """The sending half: is the loss that the peer reports high, low, or neither?"""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.loss: float | None = None
        self.long_loss: float | None = None

    def on_report(self, loss: float | None, long_loss: float | None) -> None:
        self.loss, self.long_loss = loss, long_loss

    def restart(self) -> None:
        self.loss = self.long_loss = None

    @property
    def is_high(self) -> bool:
        return self.loss is not None and self.loss >= self.threshold

    @property
    def is_low(self) -> bool:
        return self.long_loss is not None and self.long_loss <= LOW_SHARE * self.threshold
