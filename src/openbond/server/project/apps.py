from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import check_database_file, check_database_options, check_secrets


class ProjectConfig(AppConfig):
    name = "openbond.server.project"
    label = "project"

    def ready(self) -> None:
        register(check_database_options, Tags.compatibility)
        register(check_database_file, Tags.database)
        register(check_secrets, Tags.security, deploy=True)
