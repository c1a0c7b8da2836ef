"""The door: what lies below /api/ and what nodes ask below /node/."""

from django.urls import include, path

urlpatterns = [
    path("", include("openbond.server.control.urls")),
    path("", include("openbond.server.api.urls")),
]
