"""The pages of the site."""

from django.urls import URLPattern, URLResolver, path

from . import assets
from .accounts.views import SignIn, SignOut
from .dashboard.views import Dashboard
from .preferences import SwitchSpace, ThemeChoice

urlpatterns: list[URLPattern | URLResolver] = [
    path("static/<path:name>", assets.serve, name="static"),
    path("sign-in/", SignIn.as_view(), name="account_login"),
    path("sign-out/", SignOut.as_view(), name="account_logout"),
    path("theme/", ThemeChoice.as_view(), name="theme"),
    path("switch-space/", SwitchSpace.as_view(), name="switch_space"),
    path("", Dashboard.as_view(), name="dashboard"),
]
