"""All legs of a bond at one end: what one leg must know of the others (behaviour 2.6, 2.13).

Each probe lists, for some legs in turn, how long ago its sender heard its peer there. Each leg is
told whether another one is eligible. And the bond is told which legs may carry data now.
"""

from collections.abc import Iterable, Sequence
from math import inf

from .cookies import Address, Gate
from .hearing import HearingOf
from .leg import Inner
from .leg_end import LegEnd
from .messages import HEARD_LEGS_MOST, Type
from .noise import Entropy
from .probes import HeardLeg
from .session import identity_of
from .settings import BondSettings, LinkMode

LAST_RESORT_ECHO = 1.0
_USABLE = frozenset({"up", "adjusted", "unhealthy", "failover"})


def is_eligible(end: LegEnd) -> bool:
    """Report whether a leg is of tier 1 or 2 and may carry data in our direction."""
    return end.shown in _USABLE and _may_send(end)


def is_last_resort(end: LegEnd, now: float) -> bool:
    """Report whether a leg is of tier 3."""
    recent = now < end.dialogue.prober.last_echo_at + LAST_RESORT_ECHO
    return end.inner is Inner.TESTING and not end.is_under_test and recent and _may_send(end)


def _may_send(end: LegEnd) -> bool:
    settings = end.settings
    has_speed = settings.mode is LinkMode.ACTIVE and settings.send_bps > 0
    return has_speed and end.keypair is not None


class Legs:
    """`ends` by leg id; a leg that left the settings leaves it."""

    def __init__(self, bond: BondSettings, *, epoch: int, now: float, entropy: Entropy) -> None:
        """Raises ValueError for unusable keys."""
        self.ends: dict[int, LegEnd] = {}
        self._epoch = epoch
        self._entropy = entropy
        self._gate = Gate(entropy)
        self._turn = 0  # of the legs that probes list
        self._add_new(bond, now)

    def reconfigure(self, bond: BondSettings, now: float) -> None:
        """Take new settings. Raises ValueError for unusable keys, and then changes nothing."""
        identity_of(bond)  # raises before anything was changed
        wanted = {leg.id: leg for leg in bond.legs}
        for leg_id in self.ends.keys() - wanted.keys():
            del self.ends[leg_id]
        for leg_id, end in self.ends.items():
            end.reconfigure(bond, wanted[leg_id], now)
        self._add_new(bond, now)

    def eligible(self, now: float) -> list[LegEnd]:
        """Return the legs of the first tier that has one, for our sending direction.

        Suspect legs are left out unless all are suspect. Call it often, and after each event: it
        also tells the legs of each other.
        """
        self._tell_each_other(now)
        legs = self._first_tier(now)
        for end in self.ends.values():
            end.set_in_use(end in legs, now)
        return [end for end in legs if not end.is_suspect(now)] or legs

    def heard_for_probe(self, now: float) -> tuple[HeardLeg, ...]:
        """Return what the next probe says about our legs: the lost ones first, others in turn."""
        heard = [_heard(end, now) for end in self.ends.values() if _was_heard(end)]
        self._turn += 1
        turn = self._turn % len(heard) if heard else 0
        ordered = sorted(heard[turn:] + heard[:turn], key=lambda leg: not leg.lost)
        return tuple(ordered[:HEARD_LEGS_MOST])

    def on_told(self, heard: Iterable[HeardLeg], now: float) -> None:
        """Pass on to each leg what the peer says of it."""
        for leg in heard:
            if leg.leg_id in self.ends:
                self.ends[leg.leg_id].on_told(leg, now)

    def on_hearing_of(self, told: HearingOf) -> None:
        """Pass on to a leg what the peer reports about it over another."""
        if told.leg_id in self.ends:
            self.ends[told.leg_id].dialogue.on_hearing_of(told.hearing)

    def reports_again(self, nearest: Sequence[LegEnd]) -> list[tuple[LegEnd, bytes, Address]]:
        """Return reports that name gaps, sealed for the first of `nearest` that is another leg."""
        found = []
        for end in self.ends.values():
            hearing = end.dialogue.hearing_to_repeat()
            if hearing is None:
                continue
            other = next((each for each in nearest if each is not end), None)
            if other is not None and other.keypair is not None and other.address is not None:
                body = HearingOf(end.id, hearing).encode()
                datagram = other.keypair.seal_message(Type.HEARING_OF, body)
                found.append((other, datagram, other.address))
        return found

    def probe_all_soon(self, now: float) -> None:
        """Make every leg probe now: the peer shall know of a leg that was just lost."""
        for end in self.ends.values():
            end.probe_soon(now)

    def _add_new(self, bond: BondSettings, now: float) -> None:
        for leg in bond.legs:
            if leg.id not in self.ends:
                self.ends[leg.id] = LegEnd(
                    bond,
                    leg,
                    epoch=self._epoch,
                    now=now,
                    entropy=self._entropy,
                    neighbours=self,
                    gate=self._gate,
                )

    def _tell_each_other(self, now: float) -> None:
        for end in self.ends.values():
            others = any(is_eligible(other) for other in self.ends.values() if other is not end)
            end.on_others(eligible=others, now=now)

    def _first_tier(self, now: float) -> list[LegEnd]:
        usual = [end for end in self.ends.values() if is_eligible(end)]
        last = [end for end in self.ends.values() if is_last_resort(end, now)]
        for tier in (usual, last):
            normal = [end for end in tier if not end.settings.failover]
            if normal or tier:
                return normal or tier
        return []


def _was_heard(end: LegEnd) -> bool:
    """Report whether probes have something to say of this leg."""
    is_known = end.is_lost or end.dialogue.prober.last_heard_at > -inf
    return is_known and end.inner is not Inner.OFFLINE


def _heard(end: LegEnd, now: float) -> HeardLeg:
    return HeardLeg(end.id, now - end.dialogue.prober.last_heard_at, end.is_lost)
