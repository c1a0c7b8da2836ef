"""The addresses of what only bonds have; they stand before those of every resource."""

from django.urls import path

from openbond.server.web.objects.table import SHEETS
from openbond.server.web.objects.urls import of

from .config import ConfigPart, KeyPart
from .histories import HistoriesPart
from .testing import CancelTest, StartTests, StartTuning
from .views import BondPage

BONDS = SHEETS["bonds"]

urlpatterns = [
    path("bonds/<id:pk>/", of(BondPage, BONDS), name="bonds.one"),
    path("bonds/<id:pk>/config/", ConfigPart.as_view(), name="bonds.config"),
    path("bonds/<id:pk>/histories/", HistoriesPart.as_view(), name="bonds.histories"),
    path("bonds/<id:pk>/test/", StartTests.as_view(), name="bonds.test"),
    path("bonds/<id:pk>/tune/", StartTuning.as_view(), name="bonds.tune"),
    path(
        "bonds/<id:pk>/speedtests/<id:test>/cancel/",
        CancelTest.as_view(),
        name="bonds.cancel_test",
    ),
    path("bonds/<id:pk>/key/", KeyPart.as_view(), name="bonds.key"),
]
