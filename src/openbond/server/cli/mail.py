"""Mail by hand."""

from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake


def send_test_mail(
    address: Annotated[str, typer.Argument(help="Who gets it.")], state: StateOption = None
) -> None:
    """Send a mail now by the relay of the settings, and say what the relay said."""
    with awake(state):
        call_command("send_test_mail", address=address)
