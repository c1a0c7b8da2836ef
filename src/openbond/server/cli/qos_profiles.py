"""`openbond server qos-profile`: QoS profiles as files, until the site edits them."""

from pathlib import Path
from typing import Annotated

import typer
from django.core.management import call_command

from .state import StateOption, awake

qos_profiles = typer.Typer(
    help="QoS profiles as JSON files. The API renames them; classes and filters change here.",
    no_args_is_help=True,
)

SpaceOption = Annotated[
    str, typer.Option(metavar="KEY", help="Key of the space; default: the root.")
]


@qos_profiles.command()
def load(file: Path, space: SpaceOption = "", state: StateOption = None) -> None:
    """Make the profile that FILE describes, or replace the one of the same name.

    Bonds that use a replaced profile follow at once. `show` writes such a file.
    """
    with awake(state):
        _call("load", str(file), space)


@qos_profiles.command()
def show(name: str, space: SpaceOption = "", state: StateOption = None) -> None:
    """Print a profile as a file that `load` takes."""
    with awake(state):
        _call("show", name, space)


def _call(verb: str, subject: str, space: str) -> None:
    # After the dashes nothing is taken for an option, whatever a profile is called.
    call_command("qos_profile", f"--space={space}", "--", verb, subject)
