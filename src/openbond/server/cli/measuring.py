"""`openbond server measuring-limits`: what speed tests and tuners in a space may cost."""

from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake


def measuring_limits(
    space: Annotated[str, typer.Argument(metavar="KEY", help="Of the space.")],
    limits: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=NUMBER", help="None shows them; NAME=inherit undoes one."),
    ] = None,
    state: StateOption = None,
) -> None:
    """Show or set the limits of speed tests and tuners in a space and below: MB and minutes."""
    with awake(state):
        call_command("measuring_limits", space=space, limits=limits or [])
