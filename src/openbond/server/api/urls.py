"""What lies below /api/, and the downloads that it tells the addresses of."""

from django.urls import include, path

from . import documents
from .v3.system import IsoDownload

urlpatterns = [
    path("api/v3/", include("openbond.server.api.v3.urls")),
    path("api/schema/", documents.schema),
    path("api/docs/", documents.docs),
    path("api/docs/<str:name>", documents.asset),
    path("isos/<str:name>", IsoDownload.as_view({"get": "retrieve"})),
]
