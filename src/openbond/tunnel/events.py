"""What a tunnel end tells its owner: frozen values, taken one by one from `next_event`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LegStateChanged:
    """The shown state of a leg changed (behaviour 3.2, 3.3). `signal` names the table's row."""

    leg_id: int
    old: str
    new: str
    signal: str
    at: float


@dataclass(frozen=True, slots=True)
class PathMtuFound:
    """The path MTU in our sending direction (behaviour 3.7), in bytes of the outer IP packet."""

    leg_id: int
    mtu: int
    at: float


@dataclass(frozen=True, slots=True)
class InnerMtuChanged:
    mtu: int


@dataclass(frozen=True, slots=True)
class PeerMoved:
    """The outer address of a leg changed: send there from now on (behaviour 2.2, roaming)."""

    leg_id: int
    address: tuple[str, int]


Event = LegStateChanged | PathMtuFound | InnerMtuChanged | PeerMoved
