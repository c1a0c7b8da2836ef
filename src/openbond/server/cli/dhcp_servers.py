"""`openbond server dhcp-server`: DHCP with DNS on connected IPs, until the site switches it."""

from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake

DEFAULT_LEASE = 43_200

dhcp_servers = typer.Typer(
    help="DHCP server with DNS on connected IPs. API v3 has no field for it.",
    no_args_is_help=True,
)

ConnectedIp = Annotated[int, typer.Argument(metavar="ID", help="Of the connected IP, in the API.")]


@dhcp_servers.command()
def on(
    connected_ip: ConnectedIp,
    lease: Annotated[int, typer.Option(metavar="SECONDS", help="Of each lease.")] = DEFAULT_LEASE,
    state: StateOption = None,
) -> None:
    """Let the bonder give the addresses of a connected IP's network, and answer DNS."""
    with awake(state):
        call_command("dhcp_server", connected_ip=connected_ip, lease=lease)


@dhcp_servers.command()
def off(connected_ip: ConnectedIp, state: StateOption = None) -> None:
    """End it."""
    with awake(state):
        call_command("dhcp_server", connected_ip=connected_ip, lease=0)
