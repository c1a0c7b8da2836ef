"""Downtime that bonding prevented, last week and last month (05-performance.md, 4)."""

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import values
from openbond.server.api.view import Door
from openbond.server.bonds.models import Bond
from openbond.server.bonds.selectors import bonds_in_reach
from openbond.server.measurement.selectors import PreventedIn, downtime_prevented


class DowntimePrevented(Door):
    """Of all bonds in reach."""

    codes = {"retrieve": "view_bond"}

    def bonds(self) -> QuerySet[Bond]:
        return bonds_in_reach(self.viewer)

    def check_in_sight(self) -> None:
        self.bonds()

    def retrieve(self, request: Request, **path: object) -> Response:
        week, month = downtime_prevented(self.bonds(), now=self.now)
        return Response({"week": _shown(week), "month": _shown(month)})


class DowntimePreventedOnBond(DowntimePrevented):
    """Of one bond."""

    def bonds(self) -> QuerySet[Bond]:
        bonds = super().bonds().filter(pk=self.kwargs["bond_id"])
        if not bonds.exists():
            raise Http404
        return bonds


def _shown(found: PreventedIn) -> dict[str, object]:
    return {
        "start": values.time(found.period.start),
        "end": values.time(found.period.end),
        "duration": found.prevented.duration,
        "count": found.prevented.count,
    }
