"""One leg at one end: session, probes, state, path MTU and hearing behind a few verbs.

`bond.py` holds one per leg, feeds it what came on the leg and asks it what to send. It knows no
data packets; of data it learns leg sequences only. Data path, hot:

    leg.keypair                  Keypair to send data with, or None: no session
    leg.keypairs.get(session)    Keypair that a received datagram names, or None: unknown session
    leg.on_data_sent(last_sequence, now)
    leg.on_data_heard(keypair, first, count, source, now)     once per run, after open and replay
    leg.is_suspect(now)          True: give it no new data now
    leg.hearings_to_take()       hearing reports of the peer, newest last: repair from their gaps
"""

from collections.abc import Callable

from .events import Event
from .hearing import Hearing
from .keypair import Keypair
from .settings import BondSettings, LegSettings

Entropy = Callable[[int], bytes]
Address = tuple[str, int]


class LegEnd:
    """Attributes read by the bond: `id`, `keypair`, `keypairs`, `address`, `shown` (state, str),
    `smoothed_rtt`, `jitter`, `send_delay`, `receive_delay` (raw one-way delays; only differences
    between legs mean anything), `path_mtu` (bytes, outer packet, our sending direction).
    """

    id: int
    keypair: Keypair | None
    keypairs: dict[int, Keypair]
    address: Address | None
    shown: str
    path_mtu: int

    def __init__(
        self, bond: BondSettings, leg: LegSettings, *, epoch: int, now: float, entropy: Entropy
    ) -> None:
        """`epoch` rises with each start of the program, for ever (behaviour 2.4).

        A bonder's leg gets `address` of the aggregator by `on_ready`; an aggregator's learns it.
        """
        raise NotImplementedError

    # -- what happened ----------------------------------------------------------------------------

    def receive_control(self, datagram: bytes, source: Address, now: float) -> str:
        """Take in any datagram that is not PACKET, SEGMENT or BUNDLE.

        Returns "" or the reason it was dropped: short, unknown_type, unknown_session, bad_tag,
        replayed, bad_handshake, foreign_version.
        """
        raise NotImplementedError

    def on_data_heard(
        self, keypair: Keypair, first: int, count: int, source: Address, now: float
    ) -> None:
        """Note a run of data, opened and new: loss, hearing, roaming, key confirmation."""
        raise NotImplementedError

    def on_data_sent(self, last_sequence: int, now: float) -> None:
        raise NotImplementedError

    def on_ready(self, address: Address | None, now: float) -> None:
        """Carrier, address and route are there (bonder: `address` is the aggregator's)."""
        raise NotImplementedError

    def on_lost(self, now: float) -> None:
        """A send failed, or carrier, address, PPP or modem is gone."""
        raise NotImplementedError

    def on_test(self, *, under_test: bool, now: float) -> None:
        """A speed test or tuner takes the leg, or gives it back."""
        raise NotImplementedError

    def detect_path_mtu(self, now: float) -> None:
        """Measure the path MTU of our sending direction now."""
        raise NotImplementedError

    def reconfigure(self, bond: BondSettings, leg: LegSettings, now: float) -> None:
        """Take new settings; a changed key, mode or cipher starts a handshake."""
        raise NotImplementedError

    # -- what to do -------------------------------------------------------------------------------

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Address]]:
        """Return control datagrams due now, with where each goes. They skip the queues."""
        raise NotImplementedError

    def get_timer(self) -> float:
        """Return when `handle_timer` and `datagrams_to_send` next have something to do."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        raise NotImplementedError

    def next_event(self) -> Event | None:
        raise NotImplementedError

    # -- what is known ----------------------------------------------------------------------------

    def is_suspect(self, now: float) -> bool:
        raise NotImplementedError

    def hearings_to_take(self) -> list[Hearing]:
        raise NotImplementedError


class Legs:
    """All legs of a bond at one end: what one leg must know of the others.

    Carries each leg's age of hearing in the probes of all, tells each leg whether another is
    eligible, and answers which legs may carry data now (behaviour 2.6).
    """

    def eligible(self, now: float) -> list[LegEnd]:
        """Return the legs of the first tier that has one, for our sending direction.

        Suspect legs are left out unless all are suspect.
        """
        raise NotImplementedError
