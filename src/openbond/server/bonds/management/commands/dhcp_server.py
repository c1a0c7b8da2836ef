"""Switches the DHCP server with DNS of a connected IP (behaviour 5.9): API v3 has no field."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from openbond.server.bonds.models import ConnectedIP
from openbond.server.bonds.services import update_connected_ip
from openbond.server.errors import InvalidFields
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "DHCP server of a connected IP. Use `openbond server dhcp-server`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connected-ip", type=int, required=True)
        parser.add_argument("--lease", type=int, required=True, help="seconds; 0: no server")

    def handle(self, *args: Any, **options: Any) -> None:
        ident, lease = options["connected_ip"], options["lease"]
        row = ConnectedIP.objects.filter(pk=ident).first()
        if row is None:
            raise CommandError(f"There is no connected IP {ident}: see /bonds/X/connected_ips/.")
        try:
            update_connected_ip(by=COMMAND_LINE, connected_ip=row, dhcp_lease=lease)
        except InvalidFields as refused:
            raise CommandError(str(refused.fields["dhcp_lease"][0])) from refused
        said = f"leases of {lease} s" if lease else "no leases"
        self.stdout.write(f"Connected IP {ident}, {row}, on {row.interface}: {said}.")
