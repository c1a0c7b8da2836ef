"""The pages of the site."""

from django.urls import URLPattern, URLResolver, include, path

from . import assets, branding
from .dashboard.views import Dashboard, Prevented
from .preferences import SwitchSpace, ThemeChoice

urlpatterns: list[URLPattern | URLResolver] = [
    path("static/<path:name>", assets.serve, name="static"),
    path("branding/<str:colour>.css", branding.serve, name="branding"),
    path("", include("openbond.server.web.accounts.urls")),
    path("theme/", ThemeChoice.as_view(), name="theme"),
    path("switch-space/", SwitchSpace.as_view(), name="switch_space"),
    path("system/", include("openbond.server.web.system.urls")),
    path("dashboard/prevented/", Prevented.as_view(), name="dashboard_prevented"),
    path("", Dashboard.as_view(), name="dashboard"),
    path("", include("openbond.server.web.bonds.urls")),
    path("", include("openbond.server.web.nodes.urls")),
    path("", include("openbond.server.web.qos.urls")),
    # Pages of resources: whoever has a page of his own for one stands before them.
    path("", include("openbond.server.web.objects.urls")),
]
