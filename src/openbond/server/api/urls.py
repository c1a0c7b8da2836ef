"""What lies below /api/, and the downloads that it tells the addresses of."""

from django.urls import include, path

from .v3.system import IsoDownload

urlpatterns = [
    path("api/v3/", include("openbond.server.api.v3.urls")),
    path("isos/<str:name>", IsoDownload.as_view({"get": "retrieve"})),
]
