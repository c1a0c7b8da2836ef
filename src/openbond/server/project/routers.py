"""Which database a row lives in: what nodes measure in `telemetry`, everything else in `default`.

Losing `telemetry` loses charts only (behaviour 4.7), so nothing else may lie there.
"""

from typing import Any

from django.db.models import Model

from openbond.server.telemetry import ALIAS

APP = "telemetry"


class TelemetryRouter:
    """Django asks it for every query and every migration."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return ALIAS if model._meta.app_label == APP else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == ALIAS) == (app_label == APP)
