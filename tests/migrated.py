"""Run as a process of its own: makes the tables of both databases that the environment names."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "openbond.server.project.settings"
django.setup()

from django.core.management import call_command  # noqa: E402 - after setup

from openbond.server.telemetry.database import make_tables  # noqa: E402

if __name__ == "__main__":
    call_command("migrate", verbosity=0, interactive=False)
    make_tables()
