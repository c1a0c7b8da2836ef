from django.apps import AppConfig


class SystemConfig(AppConfig):
    name = "openbond.server.system"
    label = "system"
