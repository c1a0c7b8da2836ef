"""The page of an aggregator or a bonder."""

from openbond.server.web.objects.views.details import DetailPage


class NodePage(DetailPage):
    """All its fields, and the way to its provisioning command."""

    template = "web/nodes/page.html"
