"""What was heard of the data on a leg, and whether a leg given data has gone silent.

design/tunnel.md, "Silence under load" and "Repair". The receiver of data keeps a `Listener`: it
notes what came and writes hearing reports, at least every 40 ms while data arrives, at once when a
gap is sure. The sender keeps a `Suspicion`: it notes when data was given to the leg and what the
peer says it heard.
"""

from dataclasses import dataclass

REPORT_EVERY = 0.040
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
    heard: int  # datagrams of this keypair heard so far
    delay: float  # seconds between hearing `highest` and writing this
    gaps: tuple[Gap, ...] = ()  # newest last; a gap is named in three reports

    def encode(self) -> bytes:
        raise NotImplementedError

    @classmethod
    def decode(cls, body: bytes) -> "Hearing | None":
        """Return the report, or None when the bytes make none."""
        raise NotImplementedError


class Listener:
    """The receiving half: what came on one leg, and the reports to write about it."""

    def on_heard(self, session: int, first: int, count: int, now: float, *, is_data: bool) -> None:
        """Note a run of new, authentic datagrams `first` to `first + count - 1` of a keypair."""
        raise NotImplementedError

    def report_to_send(self, now: float) -> Hearing | None:
        """Return the report that is due at `now`, if one is."""
        raise NotImplementedError

    def get_timer(self) -> float:
        raise NotImplementedError


class Suspicion:
    """The sending half: data was given to the leg; is the leg silent about it?"""

    def on_data_sent(self, last_sequence: int, now: float) -> None:
        """Note that data was given to the leg, up to leg sequence `last_sequence`."""
        raise NotImplementedError

    def on_heard(self, now: float) -> None:
        """Note that an authentic datagram came on this leg that speaks of our sending."""
        raise NotImplementedError

    def is_suspect(self, now: float) -> bool:
        raise NotImplementedError
