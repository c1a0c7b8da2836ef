"""One direction of an access line: when each frame comes out at the far end, and whether it does.

Clockless: `now` (seconds, monotonic) and the dice are given. Rates are not here: the kernel's TBF
on the ISP's router gives them, with a queue as long as a modem's.

Choices, written down because a measurement depends on them:
- Delay is one way. A line with 15 ms in each direction has a round trip of 30 ms.
- Jitter wanders: every JITTER_STEP a new target within +-jitter is drawn and the delay moves there
  in a straight line. Frames never overtake each other, as on a real line.
- Loss strikes each packet of the wire on its own, so a super-packet is cut before the dice fall.
- A path MTU below the super-packet's or the packet's size drops in silence: no ICMP.
- A cut loses what is under way, too.
"""

from collections import deque
from random import Random

from msgspec import Struct

from .frames import ip_size, is_super_packet, wire_frames

JITTER_STEP = 0.050
MOST_QUEUED_BYTES = 64 * 2**20


class Shape(Struct, frozen=True, kw_only=True):
    """What one direction does to frames. Times in ms, loss in percent, MTU in bytes (0: any)."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_percent: float = 0.0
    mtu: int = 0
    is_cut: bool = False


class Counters(Struct, kw_only=True):
    """What one direction did, in frames as they came (a super-packet that passed whole is one)."""

    passed_frames: int = 0
    passed_bytes: int = 0
    lost: int = 0
    too_big: int = 0
    cut: int = 0
    overflowed: int = 0


class Line:
    """Frames on their way in one direction."""

    def __init__(self, *, shape: Shape, dice: Random) -> None:
        self.counters = Counters()
        self._dice = dice
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued_bytes = 0
        self._last_due = 0.0
        self._drift_from = (0.0, 0.0)  # time, ms
        self._drift_to = (0.0, 0.0)
        self.set_shape(shape)

    def set_shape(self, shape: Shape) -> None:
        """Take a new shape; it holds for frames that arrive from now on, a cut for all."""
        self.shape = shape
        self._cuts_super_packets = shape.loss_percent > 0 or shape.mtu > 0
        if shape.is_cut:
            self.counters.cut += len(self._queue)
            self._queue.clear()
            self._queued_bytes = 0

    def receive_frame(self, frame: bytes, now: float) -> None:
        """Take a frame that entered the line at `now`."""
        if self.shape.is_cut:
            self.counters.cut += 1
            return
        if not self._cuts_super_packets:
            self._enqueue(frame, now)
            return
        for single in wire_frames(frame) if is_super_packet(frame) else (frame,):
            if self._survives(single):
                self._enqueue(single, now)

    def frames_to_send(self, now: float) -> list[bytes]:
        """Return the frames that have reached the far end, in order."""
        queue = self._queue
        due: list[bytes] = []
        while queue and queue[0][0] <= now:
            due.append(queue.popleft()[1])
        for frame in due:
            self._queued_bytes -= len(frame)
            self.counters.passed_bytes += len(frame)
        self.counters.passed_frames += len(due)
        return due

    def get_timer(self) -> float | None:
        """Return when the next frame reaches the far end; None when the line is empty."""
        return self._queue[0][0] if self._queue else None

    def _survives(self, single: bytes) -> bool:
        if self.shape.mtu and ip_size(single) > self.shape.mtu:
            self.counters.too_big += 1
            return False
        if self._dice.random() * 100.0 < self.shape.loss_percent:
            self.counters.lost += 1
            return False
        return True

    def _enqueue(self, frame: bytes, now: float) -> None:
        if self._queued_bytes + len(frame) > MOST_QUEUED_BYTES:
            self.counters.overflowed += 1
            return
        due = max(self._last_due, now + self._delay(now))
        self._last_due = due
        self._queued_bytes += len(frame)
        self._queue.append((due, frame))

    def _delay(self, now: float) -> float:
        if not self.shape.jitter_ms:
            return self.shape.delay_ms / 1000.0
        return max(0.0, self.shape.delay_ms + self._drift(now)) / 1000.0

    def _drift(self, now: float) -> float:
        """Return by how many ms the delay differs from its mean at `now`."""
        if now >= self._drift_to[0]:
            begin = max(self._drift_to[0], now - JITTER_STEP)
            self._drift_from = (begin, self._drift_to[1])
            target = self._dice.uniform(-self.shape.jitter_ms, self.shape.jitter_ms)
            self._drift_to = (begin + JITTER_STEP, target)
        (begin, old), (end, new) = self._drift_from, self._drift_to
        share = min(1.0, (now - begin) / (end - begin))
        return old + share * (new - old)
