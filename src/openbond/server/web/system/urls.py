"""The addresses of the pages of the installation; its lists stand among those of objects."""

from django.urls import URLPattern, path

from .backups import BackupFile, Backups, MakeBackup
from .failover import Failover
from .settings import SettingsPage
from .software import Versions
from .tls import SigningRequest, Tls

urlpatterns: list[URLPattern] = [
    path("settings/", SettingsPage.as_view(), name="settings"),
    path("backups/", Backups.as_view(), name="backups"),
    path("backups/make/", MakeBackup.as_view(), name="backups.make"),
    path("backups/<str:name>/", BackupFile.as_view(), name="backups.file"),
    path("failover/", Failover.as_view(), name="failover"),
    path("tls/", Tls.as_view(), name="tls"),
    path("tls/request.csr", SigningRequest.as_view(), name="tls.request"),
    path("versions/", Versions.as_view(), name="versions"),
]
