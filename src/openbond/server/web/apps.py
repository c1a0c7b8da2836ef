from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "openbond.server.web"
    label = "web"
