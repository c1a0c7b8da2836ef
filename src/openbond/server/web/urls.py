"""The pages of the site."""

from django.urls import URLPattern, URLResolver, include, path

from . import assets
from .dashboard.views import Dashboard
from .preferences import SwitchSpace, ThemeChoice

urlpatterns: list[URLPattern | URLResolver] = [
    path("static/<path:name>", assets.serve, name="static"),
    path("", include("openbond.server.web.accounts.urls")),
    path("theme/", ThemeChoice.as_view(), name="theme"),
    path("switch-space/", SwitchSpace.as_view(), name="switch_space"),
    path("", Dashboard.as_view(), name="dashboard"),
]
