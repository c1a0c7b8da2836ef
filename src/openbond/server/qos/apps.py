from django.apps import AppConfig


class QosConfig(AppConfig):
    name = "openbond.server.qos"
    label = "qos"
