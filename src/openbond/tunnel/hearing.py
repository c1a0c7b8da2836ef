"""What was heard of the data on a leg, and whether a leg given data has gone silent.

design/tunnel.md, "Silence under load" and "Repair". The receiver of data keeps a `Listener`: it
notes what came and writes hearing reports, 40 ms after data came at the latest, sooner when a gap
is sure. The sender keeps a `Suspicion`: it notes when data was given to the leg and when the peer
last spoke of having heard something.

A gap is sure when three later datagrams came, or when it is 10 ms old: within a leg datagrams
overtake each other rarely and by little. Each gap is named in three reports, 40 ms apart, as
reports get lost. A report that names gaps goes over another leg as well, the nearest one: a repair
has to be there within the hold, and a far or lossy leg is a slow messenger.
"""

from collections import deque
from dataclasses import dataclass, replace
from math import inf

from .messages import HEARING, HEARING_GAP, HEARING_OF

REPORT_EVERY = 0.040
REPORT_SPACING = 0.005  # between reports, even when gaps come fast
SURE_AFTER_LATER = 3
SURE_AFTER_SECONDS = 0.010
NAMED_TIMES = 3
GAPS_MOST = 64  # in a report
GAPS_KEPT = 256
LEAP = 1 << 20  # no line loses so much and lives: a peer that jumps so far has begun anew
DELAY_UNIT = 0.0001
DELAY_MOST = 0xFFFF

SUSPECT_FLOOR = 0.100
SUSPECT_MARGIN = 0.060


@dataclass(frozen=True, slots=True)
class Gap:
    """Leg sequences that did not come: `first` to `first + count - 1` of one session."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Hearing:
    """Body of the message HEARING: what the receiver of data heard on this leg."""

    session: int  # the receiver's number of the keypair: the sender's `peer_index`
    highest: int  # newest leg sequence heard
    heard: int  # datagrams of this keypair heard so far, modulo 2**32
    delay: float  # seconds between hearing `highest` and writing this
    gaps: tuple[Gap, ...] = ()  # oldest first; only those up to `highest`

    def encode(self) -> bytes:
        delay = min(int(self.delay / DELAY_UNIT), DELAY_MOST)
        fixed = HEARING.pack(
            self.session, self.highest, self.heard & 0xFFFFFFFF, delay, len(self.gaps)
        )
        return fixed + b"".join(self._encode_gap(gap) for gap in self.gaps)

    def _encode_gap(self, gap: Gap) -> bytes:
        return HEARING_GAP.pack(self.highest - (gap.first + gap.count - 1), gap.count)


def decode_hearing(body: bytes) -> Hearing | None:
    """Return the report, or None when the bytes make none."""
    if len(body) < HEARING.size:
        return None
    session, highest, heard, delay, count = HEARING.unpack_from(body)
    if len(body) != HEARING.size + count * HEARING_GAP.size:
        return None
    gaps = tuple(
        Gap(highest - distance - length + 1, length)
        for distance, length in HEARING_GAP.iter_unpack(body[HEARING.size :])
    )
    if any(gap.first < 0 or gap.count == 0 for gap in gaps):
        return None
    return Hearing(session, highest, heard, delay * DELAY_UNIT, gaps)


@dataclass(frozen=True, slots=True)
class HearingOf:
    """Body of the message HEARING_OF: a report about another leg than that which it came on."""

    leg_id: int
    hearing: Hearing

    def encode(self) -> bytes:
        return HEARING_OF.pack(self.leg_id) + self.hearing.encode()


def decode_hearing_of(body: bytes) -> HearingOf | None:
    """Return the report, or None when the bytes make none."""
    if len(body) < HEARING_OF.size:
        return None
    [leg_id] = HEARING_OF.unpack_from(body)
    hearing = decode_hearing(body[HEARING_OF.size :])
    return HearingOf(leg_id, hearing) if hearing else None


@dataclass(slots=True)
class _Missing:
    first: int
    count: int
    since: float
    named: int = 0
    name_at: float = inf  # when to name it again


class Listener:
    """The receiving half: what came on one leg, and the reports to write about it."""

    def __init__(self) -> None:
        self._session = -1
        self._expected = 0
        self._heard = 0
        self._highest_at = 0.0
        self._missing: deque[_Missing] = deque()
        self._due_at = inf  # for data that came and was not reported
        self._reported_at = -inf

    def on_heard(self, session: int, first: int, count: int, now: float, *, is_data: bool) -> None:
        """Note a run of new datagrams `first` to `first + count - 1` of the newest keypair."""
        if session != self._session or first > self._expected + LEAP:
            self._begin(session, first)
        self._heard += count
        ahead = first - self._expected
        if ahead < 0:
            self._on_late(first, count)
        else:
            self._expected = first + count
            self._highest_at = now
            if ahead:
                self._on_gap(first - ahead, ahead, now)
        if is_data and self._due_at == inf:
            self._due_at = now + REPORT_EVERY

    def report_to_send(self, now: float) -> Hearing | None:
        """Return the report that is due at `now`, if one is."""
        if now < self.get_timer():
            return None
        gaps = self._gaps_to_name(now)
        self._due_at = inf
        self._reported_at = now
        highest = self._expected - 1
        return Hearing(self._session, highest, self._heard, now - self._highest_at, gaps)

    def get_timer(self) -> float:
        gap_at = min((self._name_at(gap) for gap in self._missing), default=inf)
        return min(self._due_at, max(gap_at, self._reported_at + REPORT_SPACING))

    def restart(self) -> None:
        """Forget all: the leg was down."""
        self._session = -1
        self._missing.clear()
        self._due_at = inf

    def _begin(self, session: int, first: int) -> None:
        self._session = session
        self._expected = first
        self._heard = 0
        self._missing.clear()

    def _on_gap(self, first: int, count: int, now: float) -> None:
        while count > 0:  # a gap's length has 16 bits in the report
            part = min(count, 0xFFFF)
            self._missing.append(_Missing(first, part, now))
            first, count = first + part, count - part
            if len(self._missing) > GAPS_KEPT:
                self._missing.popleft()

    def _on_late(self, first: int, count: int) -> None:
        """Take what came out of the gaps it was missing from."""
        end = first + count
        rest: deque[_Missing] = deque()
        for gap in self._missing:
            gap_end = gap.first + gap.count
            if gap_end <= first or end <= gap.first:
                rest.append(gap)
                continue
            if gap.first < first:
                rest.append(replace(gap, count=first - gap.first))
            if end < gap_end:
                rest.append(replace(gap, first=end, count=gap_end - end))
        self._missing = rest

    def _name_at(self, gap: _Missing) -> float:
        if gap.named:
            return gap.name_at
        later = self._expected - (gap.first + gap.count)
        if later >= SURE_AFTER_LATER:
            return gap.since
        return gap.since + SURE_AFTER_SECONDS

    def _gaps_to_name(self, now: float) -> tuple[Gap, ...]:
        sure = [gap for gap in self._missing if self._name_at(gap) <= now][-GAPS_MOST:]
        for gap in sure:
            gap.named += 1
            gap.name_at = now + REPORT_EVERY
        self._missing = deque(gap for gap in self._missing if gap.named < NAMED_TIMES)
        return tuple(Gap(gap.first, gap.count) for gap in sure)


class Suspicion:
    """The sending half: data was given to the leg; is the leg silent about it?

    Only what speaks of our sending counts as heard: hearing reports and echoes. So a leg that is
    dead in our direction is suspect though the peer is still heard on it.
    """

    def __init__(self) -> None:
        self._waiting_since = inf  # the oldest moment since which nothing spoke of our data
        self._last_sequence = -1
        self._sent_at = -inf

    def on_data_sent(self, last_sequence: int, now: float) -> None:
        """Note that data was given to the leg, up to leg sequence `last_sequence`."""
        self._last_sequence = last_sequence
        self._sent_at = now
        if self._waiting_since == inf:
            self._waiting_since = now

    def on_report(self, highest: int, now: float) -> None:
        """Note a hearing report: the peer heard up to leg sequence `highest`."""
        self._waiting_since = inf if highest >= self._last_sequence else now

    def on_echo(self, probe_sent_at: float, now: float) -> None:
        """Note the echo of a probe: the leg lives, though it says nothing of the data."""
        if probe_sent_at >= self._sent_at:
            self._waiting_since = inf
        elif self._waiting_since < inf:
            self._waiting_since = now

    def restart(self) -> None:
        self._waiting_since = inf

    def is_suspect(self, now: float, patience: float) -> bool:
        """`patience` is smoothed RTT + 4 x jitter, in seconds."""
        return now >= self.suspect_at(patience)

    def suspect_at(self, patience: float) -> float:
        """Return when the leg becomes suspect if nothing is heard until then."""
        return self._waiting_since + max(patience + SUSPECT_MARGIN, SUSPECT_FLOOR)
