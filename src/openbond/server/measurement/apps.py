from django.apps import AppConfig


class MeasurementConfig(AppConfig):
    name = "openbond.server.measurement"
    label = "measurement"
