"""`openbond server maintenance`: while people work at a site, no alarm opens for it."""

from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake

maintenance = typer.Typer(
    help="Maintenance windows: no alarm opens for a bond, or the bonds of a space, meanwhile.",
    no_args_is_help=True,
)

BondOption = Annotated[int, typer.Option(metavar="ID", help="One bond.", min=0)]
SpaceOption = Annotated[
    str, typer.Option(metavar="KEY", help="All bonds of a space and of those below it.")
]


@maintenance.command()
def begin(
    bond: BondOption = 0,
    space: SpaceOption = "",
    hours: Annotated[float, typer.Option(help="How long.", min=0.1, max=8760)] = 2.0,
    state: StateOption = None,
) -> None:
    """Begin a window now; one that is open is replaced."""
    with awake(state):
        call_command("maintenance", verb="begin", bond=bond, space=space, hours=hours)


@maintenance.command()
def end(bond: BondOption = 0, space: SpaceOption = "", state: StateOption = None) -> None:
    """End the window now."""
    with awake(state):
        call_command("maintenance", verb="end", bond=bond, space=space)


@maintenance.command("list")
def list_windows(state: StateOption = None) -> None:
    """List the windows that are open."""
    with awake(state):
        call_command("maintenance", verb="list")
