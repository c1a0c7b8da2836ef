"""The page at /: what hurts, first."""

from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse

from openbond.server.bonds.selectors import bonds_in_reach
from openbond.server.measurement.selectors import downtime_prevented
from openbond.server.measurement.selectors.overview import Overview, overview
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.selectors import node_status_timeout
from openbond.server.web.page import Page


class Dashboard(Page):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render("web/dashboard/page.html", {"look": look_at(self.narrow, self.now)})


class Prevented(Page):
    """The part about prevented downtime: it reads two months of history, so it comes later."""

    code = "view_bond"

    def get(self, request: HttpRequest) -> HttpResponse:
        week, month = downtime_prevented(bonds_in_reach(self.narrow), now=self.now)
        return self.render("web/dashboard/prevented.html", {"week": week, "month": month})


def look_at(viewer: Viewer, now: datetime) -> Overview:
    return overview(viewer, now=now, fresh_since=now - timedelta(seconds=node_status_timeout()))
