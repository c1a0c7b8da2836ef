"""The sockets of the legs: opened as the settings say, waited for, and opened anew.

A leg whose interface or address is missing waits, with a warning, and is tried again every second;
the others go on (behaviour 3.8). A new address means a new socket; the session stays.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from openbond.node.daemon_messages import DaemonSettings, LegLink
from openbond.node.linux.udp import LegSocketError, open_leg_socket
from openbond.node.pump import Pump
from openbond.tunnel.cookies import Address
from openbond.wire.states import LinkMode, NodeKind

RETRY_EVERY = 1.0

# leg id, why it waits ("" = it does not any more)
OnWaiting = Callable[[int, str], None]


@dataclass(slots=True)
class _Leg:
    link: LegLink
    is_open: bool = False
    held_down: str = ""  # why the agent said that it is down
    waiting_for: str = ""


class LegSockets:
    """`warnings()` says which legs wait, and for what."""

    def __init__(self, pump: Pump, *, on_waiting: OnWaiting, plain: bool = False) -> None:
        self._pump = pump
        self._on_waiting = on_waiting
        self._plain = plain
        self._is_bonder = True
        self._legs: dict[int, _Leg] = {}
        self._retry_at = 0.0

    def set_links(self, settings: DaemonSettings, now: float) -> None:
        """Open, keep or close sockets as the settings say."""
        self._is_bonder = settings.role is NodeKind.BONDER
        wanted = _wanted(settings)
        for leg_id in self._legs.keys() - wanted.keys():
            self._wait_for(leg_id, "")
            self._pump.set_leg_socket(leg_id, None)
            del self._legs[leg_id]
        for leg_id, link in wanted.items():
            old = self._legs.get(leg_id)
            if old is None or old.link != link:
                waited_for = old.waiting_for if old else ""
                self._legs[leg_id] = _Leg(link, waiting_for=waited_for)
                self._open(leg_id, now)

    def on_lost(self, leg_id: int, now: float) -> None:
        """A send failed: the way out of this leg is gone."""
        # An aggregator's leg waits for its bonder whatever happens to be wrong on the way there.
        if self._is_bonder and leg_id in self._legs:
            self._close(leg_id, now, "its interface, address or route is gone")
            self._retry_at = now + RETRY_EVERY

    def hold_down(self, leg_id: int, why: str, now: float) -> bool:
        """Close the leg until `release`; False when it is unknown."""
        if leg_id not in self._legs:
            return False
        self._legs[leg_id].held_down = why
        self._close(leg_id, now, why)
        return True

    def release(self, leg_id: int, now: float) -> bool:
        """The leg may be used again; False when it is unknown."""
        leg = self._legs.get(leg_id)
        if leg is None:
            return False
        leg.held_down = ""
        if not leg.is_open:
            self._open(leg_id, now)
        return True

    def handle_timer(self, now: float) -> None:
        """Try again what waits."""
        if now < self._retry_at:
            return
        self._retry_at = now + RETRY_EVERY
        for leg_id, leg in self._legs.items():
            if not leg.is_open and not leg.held_down:
                self._open(leg_id, now)

    def waiting_for(self, leg_id: int) -> str:
        leg = self._legs.get(leg_id)
        return leg.waiting_for if leg else ""

    def is_any_open(self) -> bool:
        return any(leg.is_open for leg in self._legs.values())

    def _open(self, leg_id: int, now: float) -> None:
        leg = self._legs[leg_id]
        link = leg.link
        try:
            if self._is_bonder:
                _check_way_out(link)
            opened = open_leg_socket(
                interface=link.interface,
                source=link.source,
                port=link.source_port,
                plain=self._plain,
            )
        except LegSocketError as trouble:
            self._close(leg_id, now, str(trouble))
            return
        self._pump.set_leg_socket(leg_id, opened)
        leg.is_open = True
        self._wait_for(leg_id, "")
        peer: Address | None = (link.peer, link.peer_port) if self._is_bonder else None
        self._pump.bond.on_leg_ready(leg_id, peer, now)

    def _close(self, leg_id: int, now: float, why: str) -> None:
        leg = self._legs[leg_id]
        if leg.is_open or not leg.waiting_for:
            self._pump.bond.on_leg_lost(leg_id, now)
        leg.is_open = False
        self._pump.set_leg_socket(leg_id, None)
        self._wait_for(leg_id, why)

    def _wait_for(self, leg_id: int, why: str) -> None:
        leg = self._legs[leg_id]
        if leg.waiting_for != why:
            leg.waiting_for = why
            self._on_waiting(leg_id, why)


def _wanted(settings: DaemonSettings) -> dict[int, LegLink]:
    in_use = {leg.id for leg in settings.bond.legs if leg.link_mode is not LinkMode.OFFLINE}
    return {link.leg_id: link for link in settings.links if link.leg_id in in_use}


def _check_way_out(link: LegLink) -> None:
    """Raises LegSocketError while a bonder's leg has no interface, address or route to its peer."""
    if not link.source:
        raise LegSocketError(f"interface {link.interface} has no address yet")
    if not link.peer:
        raise LegSocketError("the aggregator's address is not known")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        with suppress(OSError):  # said better by open_leg_socket
            attempt.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.interface.encode() + b"\0"
            )
            attempt.bind((link.source, 0))
        try:
            attempt.connect((link.peer, link.peer_port))
        except OSError as trouble:
            reason = trouble.strerror or str(trouble)
            raise LegSocketError(
                f"no route to {link.peer} by interface {link.interface} ({reason.lower()})"
            ) from trouble
