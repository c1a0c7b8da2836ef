from django.apps import AppConfig


class IpamConfig(AppConfig):
    name = "openbond.server.ipam"
    label = "ipam"
