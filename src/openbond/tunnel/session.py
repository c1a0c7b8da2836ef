"""The keypairs of one leg: which one is in use, and when the next handshake is due (behaviour 2.4).

    current    we send with it
    next       made by an initiation of the peer, not yet used by it: a first authentic datagram
               under it proves that the peer has it too, and makes it current (`confirm`)
    expiring   no longer sent with, still accepted for 10 s: what is on its way is not lost

The bonder initiates: at the start, when its leg fell silent, at the interval, when its settings
changed, when the aggregator asks. An initiation is repeated unchanged, so that the answer to any
repetition fits, and made anew every 5 s.

Timers: repetition (250 ms, 500 ms, 1 s, then 1 s ±20 % for 30 s, then 2 s ±20 %, without end),
interval ±5 %, expiry of keypairs, and 10 min of grace when rekeying fails.
"""

from dataclasses import dataclass
from math import inf

from .cookies import Address, Gate, read_cookie
from .drops import Drop
from .handshake import (
    Offer,
    SentInitiation,
    agree,
    body_of,
    check_initiation,
    read_initiation,
)
from .keypair import Agreement, Keypair
from .noise import Entropy, Identity, Keys
from .settings import BondSettings, Role

FIRST_REPEATS = (0.25, 0.5, 1.0)
REPEAT_EAGER, EAGER_FOR = 1.0, 30.0
REPEAT_PATIENT = 2.0
REPEAT_SPREAD = 0.20
RENEW_AFTER = 5.0  # an initiation older than this is made anew
INTERVAL_SPREAD = 0.05
ACCEPT_OLD_FOR = 10.0
UNCONFIRMED_FOR = 30.0
GRACE = 600.0


@dataclass(slots=True)
class Attempt:
    """A handshake under way: begun by us, not yet answered."""

    began_at: float
    initiation: SentInitiation
    made_at: float
    next_at: float
    only_silence: bool  # called for by nothing but a silent leg
    sent: int = 0
    cookie: bytes = b""


class Session:
    """Read by the hot path: `current` (None: no session) and `keypairs` by session number."""

    def __init__(
        self, bond: BondSettings, leg_id: int, *, epoch: int, gate: Gate, entropy: Entropy
    ) -> None:
        self.current: Keypair | None = None
        self.next: Keypair | None = None
        self.keypairs: dict[int, Keypair] = {}
        self.handshakes = 0  # completed
        self._leg_id = leg_id
        self._epoch = epoch
        self._gate = gate
        self._entropy = entropy
        self._expiring: dict[int, float] = {}
        self._attempt: Attempt | None = None
        self._count = 0
        self._newest_number = (0, 0)  # of the peer's initiations
        self._answered = (b"", b"")  # newest initiation without its MACs, and the response
        self._rekey_at = inf
        self._forget_at = inf
        self._wish_since = inf
        self._bond = bond
        self._identity = identity_of(bond)

    # -- what happened ----------------------------------------------------------------------------

    def begin(self, now: float, *, only_silence: bool = False) -> None:
        """Start a handshake, unless one is under way or we know no peer."""
        if self._attempt is not None:
            self._attempt.only_silence &= only_silence
        elif self._identity is not None:
            initiation = self._new_initiation(self._identity)
            self._attempt = Attempt(
                now, initiation, made_at=now, next_at=now, only_silence=only_silence
            )

    def stop_if_only_silence(self) -> None:
        """End a handshake that only silence had called for: the old keypair works after all."""
        if self.current is not None and self._attempt is not None and self._attempt.only_silence:
            self._attempt = None

    def receive_initiation(
        self, datagram: bytes, source: Address, now: float
    ) -> tuple[bytes, Drop | None]:
        """Return the answer to send to `source`, if any, and why there is no response, if so."""
        if self._identity is None:
            return b"", Drop.BAD_HANDSHAKE
        flaw = check_initiation(datagram, self._identity.public)
        if flaw is not None:
            return b"", flaw
        if body_of(datagram) == self._answered[0]:
            return self._answered[1], None
        drop = self._gate.check(datagram, source, now)
        if drop is Drop.OVERLOAD:
            public = self._identity.public
            return self._gate.cookie_message(datagram, source, public, now), drop
        if drop is not None:
            return b"", drop
        return self._answer(datagram, now, self._identity)

    def receive_response(self, datagram: bytes, now: float) -> Drop | None:
        """Take in the answer to our initiation; `current` is then the new keypair."""
        if self._attempt is None:
            return Drop.UNASKED
        initiation = self._attempt.initiation
        agreed = initiation.read_response(datagram)
        if isinstance(agreed, Drop):
            return agreed
        self._attempt = None
        keypair = self._add_keypair(
            agreed.keys, initiation.session, agreed.peer_session, agreed.agreement, now
        )
        self._use(keypair, now)
        return None

    def receive_cookie(self, datagram: bytes) -> Drop | None:
        """Take in a cookie: the initiation is repeated with it at its next turn."""
        if self._attempt is None or self._identity is None:
            return Drop.UNASKED
        initiation = self._attempt.initiation
        cookie = read_cookie(
            datagram, initiation.session, initiation.mac1, self._identity.peer_public
        )
        if isinstance(cookie, Drop):
            return cookie
        self._attempt.cookie = cookie
        return None

    def confirm(self, keypair: Keypair, now: float) -> bool:
        """Note an authentic datagram under `keypair`; report whether that made it current."""
        if keypair is not self.next:
            return False
        self.next = None
        self._expiring.pop(keypair.local_index, None)
        self._answered = (b"", b"")
        if keypair.born_at >= self._wish_since:
            self._wish_since = inf
        self._use(keypair, now)
        return True

    def reconfigure(self, bond: BondSettings, now: float) -> None:
        """Take new settings. Other keys end the session at once; another mode asks for a rekey.

        Raises ValueError for unusable keys, and then changes nothing.
        """
        identity = identity_of(bond)
        old, self._bond, self._identity = self._bond, bond, identity
        if _trust(old) != _trust(bond):
            self.forget_all()
            self._newest_number = (0, 0)
        elif old.handshake_interval != bond.handshake_interval and self.current is not None:
            self._set_interval(self.current.born_at, now)
        has_other_mode = (old.security, old.cipher) != (bond.security, bond.cipher)
        if has_other_mode:
            self._wish_since = now
        if has_other_mode or _trust(old) != _trust(bond):
            self._restart(now)

    def forget_all(self) -> None:
        """End the session and whatever is under way: the leg is offline, or has another peer."""
        self._attempt = None
        for session in list(self.keypairs):
            self._forget(session)

    def on_peer_wish(self, keypair: Keypair, now: float) -> None:
        """The aggregator asks for a rekey in a probe under `keypair`."""
        if keypair is self.current and self._bond.role is Role.BONDER:
            self.begin(now)

    # -- what to do -------------------------------------------------------------------------------

    @property
    def wishes_rekey(self) -> bool:
        """Report whether our probes must ask the bonder for a handshake."""
        return self._bond.role is Role.AGGREGATOR and self._wish_since < inf

    @property
    def is_handshaking(self) -> bool:
        return self._attempt is not None

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Return the initiation if it is due."""
        attempt = self._attempt
        if attempt is None or self._identity is None or now < attempt.next_at:
            return []
        if now >= attempt.made_at + RENEW_AFTER:
            # A cookie is not kept longer: the aggregator may have forgotten its secret.
            attempt.initiation, attempt.cookie = self._new_initiation(self._identity), b""
            attempt.made_at = now
        attempt.sent += 1
        attempt.next_at = now + self._pause(attempt, now)
        return [attempt.initiation.datagram(attempt.cookie)]

    def get_timer(self) -> float:
        attempt_at = self._attempt.next_at if self._attempt else self._rekey_at
        return min([attempt_at, self._forget_at, *self._expiring.values()])

    def handle_timer(self, now: float) -> None:
        """Forget keypairs whose time is over; begin the rekey that is due."""
        for session in [number for number, until in self._expiring.items() if until <= now]:
            self._forget(session)
        if now >= self._forget_at and self.current is not None:
            self._forget(self.current.local_index)
        if self.current is not None and (now >= self._rekey_at or self.current.is_worn_out):
            self.begin(now)

    # -- inside -----------------------------------------------------------------------------------

    def _answer(self, datagram: bytes, now: float, identity: Identity) -> tuple[bytes, Drop | None]:
        received = read_initiation(datagram, identity)
        if isinstance(received, Drop):
            return b"", received
        offer = received.offer
        if (offer.bond_id, offer.leg_id) != (self._bond.id, self._leg_id):
            return b"", Drop.BAD_HANDSHAKE
        if offer.number <= self._newest_number:
            return b"", Drop.OLD_HANDSHAKE
        agreement = agree(offer, self._bond.security, self._bond.cipher)
        if agreement is None:
            return b"", Drop.FOREIGN_VERSION
        session = self._free_session()
        response, keys = received.answer(agreement, session, self._entropy)
        self._newest_number = offer.number
        self._answered = (body_of(datagram), response)
        self._expire(self.next, now + ACCEPT_OLD_FOR)
        self.next = self._add_keypair(keys, session, received.session, agreement, now)
        self._expire(self.next, now + UNCONFIRMED_FOR)
        return response, None

    def _add_keypair(
        self, keys: Keys, session: int, peer_session: int, agreement: Agreement, now: float
    ) -> Keypair:
        keypair = Keypair(
            send_key=keys.send,
            receive_key=keys.receive,
            local_index=session,
            peer_index=peer_session,
            agreement=agreement,
            initiator=self._bond.role is Role.BONDER,
            born_at=now,
        )
        self.keypairs[session] = keypair
        return keypair

    def _use(self, keypair: Keypair, now: float) -> None:
        self._expire(self.current, now + ACCEPT_OLD_FOR)
        self.current = keypair
        self.handshakes += 1
        self._set_interval(now, now)

    def _set_interval(self, since: float, now: float) -> None:
        interval = self._bond.handshake_interval
        if interval <= 0:
            self._rekey_at = self._forget_at = inf
            return
        due = since + self.spread(interval, INTERVAL_SPREAD)
        self._rekey_at = due if self._bond.role is Role.BONDER else inf
        self._forget_at = max(due, now) + GRACE

    def _restart(self, now: float) -> None:
        self._attempt = None
        if self._bond.role is Role.BONDER:
            self._wish_since = inf
            self.begin(now)

    def _expire(self, keypair: Keypair | None, until: float) -> None:
        if keypair is not None:
            self._expiring[keypair.local_index] = until

    def _forget(self, session: int) -> None:
        keypair = self.keypairs.pop(session)
        self._expiring.pop(session, None)
        if keypair is self.next:
            self.next = None
            self._answered = (b"", b"")
        elif keypair is self.current:
            self.current = None
            self._rekey_at = self._forget_at = inf

    def _new_initiation(self, identity: Identity) -> SentInitiation:
        self._count += 1
        offer = Offer(
            bond_id=self._bond.id,
            leg_id=self._leg_id,
            security=self._bond.security,
            cipher=self._bond.cipher,
            number=(self._epoch, self._count),
        )
        return SentInitiation(identity, offer, self._free_session(), self._entropy)

    def _free_session(self) -> int:
        """Return a session number that names none of our keypairs; 0 names none at all."""
        number = int.from_bytes(self._entropy(2), "big")
        while number == 0 or number in self.keypairs:
            number = (number + 1) & 0xFFFF
        return number

    def _pause(self, attempt: Attempt, now: float) -> float:
        if attempt.sent <= len(FIRST_REPEATS):
            return FIRST_REPEATS[attempt.sent - 1]
        eager = now < attempt.began_at + EAGER_FOR
        return self.spread(REPEAT_EAGER if eager else REPEAT_PATIENT, REPEAT_SPREAD)

    def spread(self, seconds: float, fraction: float) -> float:
        """Draw from `seconds` ± `fraction`, so that legs do not act all at once."""
        chance = int.from_bytes(self._entropy(2), "big") / 0xFFFF
        return seconds * (1 + fraction * (2 * chance - 1))


def identity_of(bond: BondSettings) -> Identity | None:
    """Return the keys of `bond`; None while the server gave it no peer (behaviour 2.4)."""
    if not bond.peer_public_key:
        return None
    return Identity(bond.private_key, bond.peer_public_key, bond.secret)


def _trust(bond: BondSettings) -> tuple[bytes, bytes, bytes]:
    return bond.private_key, bond.peer_public_key, bond.secret
