from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class ControlConfig(AppConfig):
    name = "openbond.server.control"
    label = "control"

    def ready(self) -> None:
        # Only now: models can be imported when Django is awake.
        from .counted import after_migrations, before_migrations

        pre_migrate.connect(before_migrations, sender=self)
        # The last app that migrates: all tables are there.
        post_migrate.connect(after_migrations, sender=self)
