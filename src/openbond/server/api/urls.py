"""What lies below /api/, and the downloads that it tells the addresses of."""

from django.urls import include, path

from . import documents
from .charts import BondCharts
from .prometheus.page import Metrics
from .v3.system import IsoDownload

urlpatterns = [
    path("api/v3/", include("openbond.server.api.v3.urls")),
    path("api/schema/", documents.schema),
    path("api/docs/", documents.docs),
    path("api/docs/<str:name>", documents.asset),
    path("api/charts/bonds/<int:bond_id>/", BondCharts.as_view({"get": "retrieve"})),
    path("metrics", Metrics.as_view({"get": "retrieve"})),
    path("isos/<str:name>", IsoDownload.as_view({"get": "retrieve"})),
]
