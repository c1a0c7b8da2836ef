"""The addresses of what only nodes have; they stand before those of every resource."""

from django.urls import path

from openbond.server.web.objects.table import SHEETS
from openbond.server.web.objects.urls import of

from .provisioning import AggregatorKey, BonderKey
from .views import NodePage

urlpatterns = [
    path("aggregators/<id:pk>/", of(NodePage, SHEETS["aggregators"]), name="aggregators.one"),
    path("aggregators/<id:pk>/key/", AggregatorKey.as_view(), name="aggregators.key"),
    path("bonders/<id:pk>/", of(NodePage, SHEETS["bonders"]), name="bonders.one"),
    path("bonders/<id:pk>/key/", BonderKey.as_view(), name="bonders.key"),
]
