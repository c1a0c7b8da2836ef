"""What lies below /api/."""

from django.urls import include, path

urlpatterns = [path("api/v3/", include("openbond.server.api.v3.urls"))]
