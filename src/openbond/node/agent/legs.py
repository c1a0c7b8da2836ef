"""Takes in what the tunnel daemons say: reports it, wakes whoever must act (§3.3, §3.7)."""

from collections import Counter
from collections.abc import Callable

from openbond.node import clock, daemon_messages
from openbond.node.daemon_messages import DaemonEvent, StatusAnswer
from openbond.node.plan.numbers import is_trunk
from openbond.wire.reports import LegStateChanged, PathMtuMeasured, Problem
from openbond.wire.states import ShownState

from .known import Known
from .reporting import Reporter
from .tunnels import SILENT_STATES, TunnelStates

_OF_TRUNKS = (daemon_messages.InnerMtuMoved, daemon_messages.Warned)


class LegEvents:
    """What happens on the legs of all bonds, as their daemons tell it."""

    def __init__(
        self,
        known: Known,
        tunnels: TunnelStates,
        reporter: Reporter,
        *,
        changed: Callable[[], None],
        leg_lost: Callable[[int], None],
        leg_back: Callable[[int], None],
    ) -> None:
        self._known = known
        self._tunnels = tunnels
        self._reporter = reporter
        self._changed = changed
        self._leg_lost = leg_lost
        self._leg_back = leg_back
        self.warnings: dict[tuple[int, str], str] = {}
        self.state_changes: Counter[tuple[int, int]] = Counter()  # by bond and leg, in our life

    def on_status(self, bond_id: int, status: StatusAnswer) -> None:
        """Take a daemon's whole word, at the first contact."""
        if is_trunk(bond_id):
            self._on_inner_mtu(bond_id, status.inner_mtu)
            return
        states = {leg.leg_id: leg.state for leg in status.legs}
        self._tunnels.set_legs(bond_id, states, now=clock.monotonic())
        self._on_tunnel(bond_id)
        self._on_inner_mtu(bond_id, status.inner_mtu)

    def on_event(self, bond_id: int, event: DaemonEvent) -> None:
        if is_trunk(bond_id) and not isinstance(event, _OF_TRUNKS):
            # The server knows no legs of trunks, and no leg of ours is lost with one.
            return
        if isinstance(event, daemon_messages.LegStateMoved):
            self._on_leg_state(bond_id, event)
        elif isinstance(event, daemon_messages.InnerMtuMoved):
            self._on_inner_mtu(bond_id, event.mtu)
        elif isinstance(event, daemon_messages.PathMtuMeasured):
            self._on_path_mtu(bond_id, event)
        elif isinstance(event, daemon_messages.Warned):
            self._on_warning(bond_id, event)

    def _on_leg_state(self, bond_id: int, event: daemon_messages.LegStateMoved) -> None:
        self._tunnels.set_leg(bond_id, event.leg_id, event.new, now=clock.monotonic())
        self.state_changes[bond_id, event.leg_id] += 1
        self._reporter.add(
            lambda number: LegStateChanged(
                number=number,
                at_ms=event.at_ms,
                bond_id=bond_id,
                leg_id=event.leg_id,
                old=event.old,
                new=event.new,
                signal=event.signal,
            )
        )
        if event.new is ShownState.DOWN:
            self._leg_lost(event.leg_id)
        elif event.old in SILENT_STATES and event.new not in SILENT_STATES:
            self._leg_back(event.leg_id)
        self._on_tunnel(bond_id)

    def _on_tunnel(self, bond_id: int) -> None:
        # A bond that was moved here carries data before its legs have been tested for 5 s.
        is_up = self._tunnels.carries(bond_id)
        self._known.announcements.on_tunnel(bond_id, is_up=is_up, now=clock.monotonic())
        self._changed()

    def _on_inner_mtu(self, bond_id: int, mtu: int) -> None:
        if mtu > 0 and self._known.inner_mtus.get(bond_id) != mtu:
            self._known.inner_mtus[bond_id] = mtu
            self._changed()

    def _on_path_mtu(self, bond_id: int, event: daemon_messages.PathMtuMeasured) -> None:
        self._reporter.add(
            lambda number: PathMtuMeasured(
                number=number,
                at_ms=event.at_ms,
                bond_id=bond_id,
                leg_id=event.leg_id,
                mtu=event.mtu,
            )
        )

    def _on_warning(self, bond_id: int, event: daemon_messages.Warned) -> None:
        if event.text:
            self.warnings[bond_id, event.about] = event.text
        else:
            self.warnings.pop((bond_id, event.about), None)

    def warning_list(self) -> list[Problem]:
        return [Problem(about=about, text=text) for (_, about), text in self.warnings.items()]
