"""What a node is provisioned with: its key, and what to type at its machine. Loaded on a click."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from openbond.server.control.authority import fingerprint_in
from openbond.server.control.state_files import StateDirectory
from openbond.server.fleet.models import Node
from openbond.server.fleet.selectors import aggregators_in_reach, bonders_visible_to
from openbond.server.web.page import Page


class NodeKey(Page):
    """The key of a node of the viewer's own spaces, never of a shared one (00-general 11.3)."""

    where = "On its machine"

    def nodes(self) -> QuerySet[Any]:
        """Return the nodes whose keys the viewer may see."""
        raise NotImplementedError

    def node(self) -> Node:
        """Raises Http404."""
        found: Node | None = self.nodes().first()
        if found is None:
            raise Http404
        return found

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        context = {
            "node": self.node(),
            "where": self.where,
            "server": request.get_host(),
            "fingerprint": fingerprint_in(StateDirectory(settings.STATE_DIR).authority),
        }
        return self.render("web/nodes/key.html", context)


class AggregatorKey(NodeKey):
    code = "view_aggregator"
    where = "On its machine in the data centre"

    def nodes(self) -> QuerySet[Any]:
        return aggregators_in_reach(self.viewer).filter(pk=self.kwargs["pk"])


class BonderKey(NodeKey):
    code = "view_bonder"
    where = "On the machine at the site"

    def nodes(self) -> QuerySet[Any]:
        return bonders_visible_to(self.viewer).filter(pk=self.kwargs["pk"])
