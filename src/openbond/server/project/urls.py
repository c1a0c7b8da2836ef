"""The door: what lies below /api/, what nodes ask below /node/, and the site for the rest."""

from django.urls import include, path

urlpatterns = [
    path("", include("openbond.server.control.urls")),
    path("", include("openbond.server.api.urls")),
    path("", include("openbond.server.web.urls")),
]

handler400 = "openbond.server.web.faults.bad_request"
handler403 = "openbond.server.web.faults.permission_denied"
handler404 = "openbond.server.web.faults.not_found"
handler500 = "openbond.server.web.faults.server_error"
