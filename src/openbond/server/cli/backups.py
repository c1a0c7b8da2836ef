"""Backups made and put back by hand."""

import os
from pathlib import Path

import typer
from django.core.management import call_command

from openbond.server.system.backups import restore_files

from .state import StateOption, awake, chosen_state, explained, use_state, wake_django


def backup(state: StateOption = None) -> None:
    """Make a backup now; the server may run meanwhile."""
    with awake(state):
        call_command("backup")


def restore(file: Path, state: StateOption = None) -> None:
    """Make a blank server what it was when FILE was made; its nodes come back untouched."""
    use_state(state)
    os.umask(0o077)
    with explained():
        directory = chosen_state()
        vendor = "postgresql" if os.environ.get("OPENBOND_DATABASE_URL") else "sqlite"
        manifest = restore_files(backup=file, state=directory.root, database=vendor)
        if vendor == "postgresql":
            wake_django()
            call_command("restore_database", backup=file, manifest=manifest)
        typer.echo(f"Restored the server of {manifest.created} into {directory.root}.")
        typer.echo("Start it under the same address; its nodes find it by themselves.")
