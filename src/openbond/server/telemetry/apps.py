from django.apps import AppConfig
from django.db.models.signals import pre_migrate

from .database import make_schema


class TelemetryConfig(AppConfig):
    name = "openbond.server.telemetry"
    label = "telemetry"

    def ready(self) -> None:
        # Django's table of migrations lies in the schema too, so it must be there first.
        pre_migrate.connect(make_schema, sender=self)
