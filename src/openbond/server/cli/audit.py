"""`openbond server audit`: who changed what, when and from where."""

from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake

DEFAULT_LINES = 50
MAX_LINES = 1_000_000
# Longer than any audit is kept, and short enough for a date.
MAX_DAYS = 36_500
MAX_ID = 2**63 - 1


def show_audit(
    kind: Annotated[
        str, typer.Option(help="Only objects of this kind, e.g. bond, leg, user, settings.")
    ] = "",
    object_id: Annotated[
        int | None,
        typer.Option(
            "--id",
            min=1,
            max=MAX_ID,
            metavar="ID",
            help="Only the object with this id; with --kind.",
        ),
    ] = None,
    actor: Annotated[
        str, typer.Option(help="Only changes by this e-mail address, or by `server`.")
    ] = "",
    days: Annotated[
        float | None, typer.Option(min=0, max=MAX_DAYS, help="Only the last days, e.g. 0.5.")
    ] = None,
    lines: Annotated[
        int, typer.Option(min=1, max=MAX_LINES, help="No more entries than this.")
    ] = DEFAULT_LINES,
    state: StateOption = None,
) -> None:
    """Show who changed what, newest first: one JSON object a line, values before and after."""
    with awake(state):
        words = {"kind": kind, "id": object_id, "actor": actor, "days": days, "lines": lines}
        call_command("audit", **words)
