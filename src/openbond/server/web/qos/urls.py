"""The addresses of the editor; they stand before those of every resource."""

from django.urls import path

from openbond.server.web.objects.table import SHEETS
from openbond.server.web.objects.urls import of

from .views import EditProfile, NewProfile, ProfilePage

urlpatterns = [
    path("qos/new/", NewProfile.as_view(), name="qos_profiles.new"),
    path("qos/<id:pk>/", of(ProfilePage, SHEETS["qos_profiles"]), name="qos_profiles.one"),
    path("qos/<id:pk>/classes/", EditProfile.as_view(), name="qos_profiles.classes"),
]
