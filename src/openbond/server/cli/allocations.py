"""`openbond server merge-allocations`: adjacent IP allocations become one."""

from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake


def merge_allocations(
    first: Annotated[int, typer.Argument(metavar="ID", help="The allocation that stays.")],
    second: Annotated[int, typer.Argument(metavar="ID", help="The one that becomes part of it.")],
    state: StateOption = None,
) -> None:
    """Merge two adjacent allocations of a space that are valid at the same routing groups."""
    with awake(state):
        call_command("merge_allocations", first=first, second=second)
