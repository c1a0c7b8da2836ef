"""Serves until told to stop. `openbond server` prepares what it needs and calls it."""

from typing import Any

from django.core.management.base import BaseCommand

from openbond.server.control.installation import first_run_code
from openbond.server.control.serving import serve, served
from openbond.server.spaces.selectors import has_users


class Command(BaseCommand):
    help = "Serve the API and the nodes over HTTPS. Use `openbond server`."
    requires_system_checks = []
    stealth_options = ("state", "listener", "names")

    def handle(self, *args: Any, **options: Any) -> None:
        state, listener = options["state"], options["listener"]
        host, port = listener.getsockname()[:2]
        told = served(state, host=host, port=port)
        self.stdout.write(f"openbond server at {told.url}")
        self.stdout.write(f"  private CA    {told.ca}")
        self.stdout.write(f"  fingerprint   SHA256:{told.fingerprint}")
        if not has_users():
            self.stdout.write(f"  first run     {told.url}first-run/ with code {first_run_code()}")
        self.stdout.flush()
        serve(state, listener=listener, names=options["names"])
