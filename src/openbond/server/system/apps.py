from django.apps import AppConfig

from .folded import prepare


class SystemConfig(AppConfig):
    name = "openbond.server.system"
    label = "system"

    def ready(self) -> None:
        prepare()
