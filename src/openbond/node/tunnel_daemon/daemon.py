"""The daemon of one bond: starts from its settings file, moves packets, answers the agent.

Order of the start: settings and key are read, the number of the start is written, TUN device,
control socket and leg sockets are opened; then every privilege is dropped. Nothing after that needs
one. It goes on without the agent, and a new agent finds it by its socket.
"""

import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from openbond.node.daemon_messages import (
    Answer,
    BeginTest,
    DaemonEvent,
    DaemonSettings,
    DetectMtu,
    Done,
    EndTest,
    InnerMtuMoved,
    LegDown,
    LegReady,
    LegStateMoved,
    LegStatus,
    PathMtuMeasured,
    PeerAddressMoved,
    Ping,
    Refused,
    Reload,
    Request,
    Status,
    StatusAnswer,
    Stop,
    Warned,
    socket_path,
)
from openbond.node.errors import NodeError
from openbond.node.linux.priority import go_before_others
from openbond.node.linux.privileges import drop_privileges
from openbond.node.linux.tun import open_tun
from openbond.node.locks import held
from openbond.node.paths import Paths
from openbond.node.pump import Pump
from openbond.node.wall_clock import wall_ms
from openbond.tunnel.bond import Bond
from openbond.tunnel.events import (
    Event,
    InnerMtuChanged,
    LegStateChanged,
    PathMtuFound,
    PeerMoved,
)
from openbond.tunnel.status import LegReport
from openbond.wire.states import ShownState

from . import log
from .door import Door
from .legs import LegSockets
from .settings import bond_settings, check_settings, read_private_key, read_settings
from .speed_tests import begin_or_end, reading_of
from .starts import next_start, starts_path

# Objects that were made and not freed again; Python's own 700 are the tuples of a few runs.
GARBAGE_LOOK_AFTER = 50_000


def run(root: Path, bond_id: int, *, plain: bool = False, bundles: bool = True) -> None:
    """Run the tunnel daemon of a bond until SIGTERM, SIGINT or Stop.

    plain: without kernel offloads; bundles: small packets share datagrams. For comparison. Raises
    NodeError.
    """
    lock = root / "run" / "bonding" / f"tun{bond_id}.lock"
    with held(lock, f"tunnel daemon of bond {bond_id}"):
        daemon = Daemon(root, bond_id, plain=plain, bundles=bundles)
        go_before_others()
        left = drop_privileges()
        if left:
            log.warning("privileges are left", bond=bond_id, what=left)
        daemon.serve()


class Daemon:
    """Raises NodeError when the bond cannot be served, and then leaves nothing open."""

    def __init__(
        self, root: Path, bond_id: int, *, plain: bool = False, bundles: bool = True
    ) -> None:
        settings = read_settings(root, bond_id)
        self._root = root
        self._settings = settings
        self._private_key = read_private_key(Path(settings.private_key))
        self._started_at_ms = wall_ms()
        self._is_asked_to_stop = False
        self._warnings: dict[str, str] = {}
        wanted = bond_settings(settings, self._private_key)
        start = _next_start(root, bond_id, self._started_at_ms // 1000)
        tun = open_tun(f"tun{bond_id}", plain=plain)
        now = time.monotonic()
        try:
            self._bond = Bond(
                wanted,
                epoch=start,
                now=now,
                entropy=os.urandom,
                has_vnet_header=tun.has_vnet_header,
                joins_udp=tun.joins_udp,
                bundles=bundles,
            )
        except ValueError as unusable:
            tun.close()
            raise NodeError(f"Bond {bond_id}: a key is unusable ({unusable}).") from unusable
        self._pump = Pump(tun, self._bond, on_leg_lost=self._on_leg_lost)
        self._legs = LegSockets(self._pump, on_waiting=self._on_waiting, plain=plain)
        self._door = Door(socket_path(root, bond_id), self._pump, self._answer)
        self._legs.set_links(settings, now)

    def serve(self) -> None:
        """Move packets until asked to stop."""
        signals = _watch_signals(self._pump, self._stop)
        _calm_collector()
        log.info("tunnel daemon serves", bond=self._settings.bond.id, pid=os.getpid())
        while not self._is_asked_to_stop:
            self._pump.turn()
            self._legs.handle_timer(time.monotonic())
            while event := self._bond.next_event():
                self._tell(_told(event))
        self._door.close()
        self._pump.close()
        signals.close()

    def _stop(self) -> None:
        self._is_asked_to_stop = True

    # -- what the agent asks ----------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        now = time.monotonic()
        match request:
            case Ping():
                return Done()
            case Status():
                return self._status()
            case Reload():
                return self._reload(request.settings, now)
            case DetectMtu():
                self._bond.detect_path_mtu(request.leg_ids, now)
                return Done()
            case LegDown() | LegReady():
                return self._hold_or_release(request, now)
            case BeginTest() | EndTest():
                begin_or_end(self._bond, request, self._settings, now)
                return Done()
            case Stop():
                self._stop()
                return Done()
            case _:
                return Refused(why="This daemon does not know that request.")

    def _hold_or_release(self, request: LegDown | LegReady, now: float) -> Answer:
        if isinstance(request, LegDown):
            return _found(self._legs.hold_down(request.leg_id, request.why, now), request)
        return _found(self._legs.release(request.leg_id, now), request)

    def _reload(self, given: DaemonSettings | None, now: float) -> Answer:
        bond_id = self._settings.bond.id
        settings = given or read_settings(self._root, bond_id)
        check_settings(settings, bond_id)
        if (settings.role, settings.private_key) != (
            self._settings.role,
            self._settings.private_key,
        ):
            raise NodeError("Role or private key changed: restart the tunnel daemon.")
        try:
            self._bond.reconfigure(bond_settings(settings, self._private_key), now)
        except ValueError as unusable:
            raise NodeError(f"Bond {bond_id}: a key is unusable ({unusable}).") from unusable
        self._settings = settings
        self._legs.set_links(settings, now)
        return Done()

    def _status(self) -> StatusAnswer:
        report = self._bond.report()
        counters = {
            **report.counters,
            "dropped_unwritten": self._pump.unwritten,
            "dropped_too_big": self._pump.too_big,
        }
        return StatusAnswer(
            bond_id=self._settings.bond.id,
            pid=os.getpid(),
            started_at_ms=self._started_at_ms,
            inner_mtu=report.inner_mtu,
            legs=[_leg_status(leg, self._legs.waiting_for(leg.leg_id)) for leg in report.legs],
            counters=counters,
            warnings=[f"{about}: {text}" for about, text in self._warnings.items()],
            speed_test=reading_of(self._bond, time.monotonic()),
            offloads=self._pump.offloads(),
        )

    # -- what happens -----------------------------------------------------------------------------

    def _on_leg_lost(self, leg_id: int) -> None:
        self._legs.on_lost(leg_id, time.monotonic())

    def _on_waiting(self, leg_id: int, why: str) -> None:
        about = f"leg {leg_id}"
        if why:
            self._warnings[about] = why
            log.warning("a leg waits", leg=leg_id, why=why)
        elif self._warnings.pop(about, None):
            log.info("a leg waits no longer", leg=leg_id)
        self._tell(Warned(about=about, text=why, at_ms=wall_ms()))

    def _tell(self, event: DaemonEvent) -> None:
        self._door.tell(event)


def _calm_collector() -> None:
    """Look for garbage rarely: packets make no cycles, and each look delays some."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_LOOK_AFTER, 20, 20)


def _next_start(root: Path, bond_id: int, wall_seconds: int) -> int:
    path = starts_path(Paths(root).state, bond_id)
    try:
        return next_start(path, wall_seconds)
    except OSError as refused:
        raise NodeError(
            f"{path} cannot be written ({refused.strerror}): the tunnel needs it to agree on new "
            "keys after a restart. Make room on the disk, or run the daemon as root."
        ) from refused


def _watch_signals(pump: Pump, stop: Callable[[], None]) -> socket.socket:
    """Call `stop` from the loop when SIGTERM or SIGINT comes; return what must stay open."""
    far, near = socket.socketpair()
    far.setblocking(False)
    near.setblocking(False)
    signal.set_wakeup_fd(far.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def on_signal(now: float) -> bool:
        near.recv(64)
        stop()
        return False

    pump.watch(near, on_signal)
    return far


def _found(known: bool, request: LegDown | LegReady) -> Answer:
    return Done() if known else Refused(why=f"Leg {request.leg_id} is not in the settings.")


def _told(event: Event) -> DaemonEvent:
    """Return the event as the agent hears it: wall clock instead of the tunnel's."""
    at = wall_ms()
    match event:
        case LegStateChanged():
            return LegStateMoved(
                leg_id=event.leg_id,
                old=ShownState(event.old),
                new=ShownState(event.new),
                signal=event.signal,
                at_ms=at,
            )
        case PathMtuFound():
            return PathMtuMeasured(leg_id=event.leg_id, mtu=event.mtu, at_ms=at)
        case InnerMtuChanged():
            return InnerMtuMoved(mtu=event.mtu, at_ms=at)
        case PeerMoved():
            host, port = event.address
            return PeerAddressMoved(leg_id=event.leg_id, peer=f"{host}:{port}", at_ms=at)


def _leg_status(leg: LegReport, waiting_for: str) -> LegStatus:
    return LegStatus(
        leg_id=leg.leg_id,
        state=ShownState(leg.state),
        path_mtu=leg.path_mtu,
        path_mtu_measured=leg.path_mtu_measured,
        rtt_us=_scaled(leg.smoothed_rtt, 1e6),
        jitter_us=_scaled(leg.jitter, 1e6),
        loss_permille=_scaled(leg.loss, 1e3),
        adapted_kbps=_scaled(leg.adapted_bps, 1e-3),
        spill_reason=leg.spill_reason,
        peer=f"{leg.peer[0]}:{leg.peer[1]}" if leg.peer else "",
        waiting_for=waiting_for,
        counters=leg.counters,
    )


def _scaled(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)
