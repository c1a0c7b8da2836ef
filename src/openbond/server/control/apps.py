from django.apps import AppConfig


class ControlConfig(AppConfig):
    name = "openbond.server.control"
    label = "control"
