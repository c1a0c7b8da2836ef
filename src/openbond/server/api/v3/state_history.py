"""State history: the states of a leg over the last 24 hours (05-performance.md, 3)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from django.http import Http404

from openbond.server.api import lists, values
from openbond.server.api.arrays import Array, Shown
from openbond.server.bonds.models import Leg
from openbond.server.bonds.selectors import legs_visible_to
from openbond.server.measurement.selectors import state_history
from openbond.wire.states import LegType

from .leg_bodies import STATES
from .parents import bond_of


class StateHistory(Array):
    """Contiguous states of a leg, oldest first; equal neighbours are merged."""

    codes = {"list_all": "view_leg"}
    filters = {"state": lists.choice("state", STATES)}
    ordering = ("start", "duration")
    types: ClassVar[Sequence[LegType]] = list(LegType)

    def find(self) -> Leg:
        """Return the leg of the path, if it is of this bond and type. Raises Http404."""
        legs = legs_visible_to(self.viewer).filter(bond=bond_of(self), type__in=self.types)
        leg = legs.filter(pk=self.kwargs["pk"]).first()
        if leg is None:
            raise Http404
        return leg

    def check_in_sight(self) -> None:
        self.find()

    def elements(self) -> list[Shown]:
        timeout = timedelta(seconds=self.status_timeout)
        return [
            {
                "state": interval.state.value,
                "start": values.time(interval.start),
                "end": values.time_or_null(interval.end),
                "duration": interval.duration,
            }
            for interval in state_history(self.find(), now=self.now, timeout=timeout)
        ]


class DhcpStateHistory(StateHistory):
    types = [LegType.DHCP]


class StaticStateHistory(StateHistory):
    types = [LegType.STATIC]


class PppoeStateHistory(StateHistory):
    types = [LegType.PPPOE]


class MobilebroadbandStateHistory(StateHistory):
    types = [LegType.MOBILEBROADBAND]
