"""The state directory that a command works on, and one sentence where it cannot."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import django
import typer
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import Error as DatabaseError

from openbond.server.control.state_files import StateDirectory, StateError
from openbond.server.measurement.rules.tuning import BadNumbers
from openbond.server.project.databases import BadDatabaseUrl
from openbond.server.system.backups import BackupDamaged, RestoreRefused

SYSTEM_STATE = Path("/var/lib/openbond")
SETTINGS = "openbond.server.project.settings"

# What says by itself why it was refused, and what to do.
REFUSALS = (StateError, BadDatabaseUrl, BadNumbers, CommandError, BackupDamaged, RestoreRefused)

StateOption = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="The directory that the server owns."),
]


def use_state(state: Path | None) -> None:
    """Choose the state directory of this process: the one given, that of the environment, ours."""
    if state is not None:
        os.environ["OPENBOND_STATE_DIR"] = str(state.absolute())
    elif "OPENBOND_STATE_DIR" not in os.environ:
        own = Path.home() / ".local" / "share" / "openbond"
        os.environ["OPENBOND_STATE_DIR"] = str(SYSTEM_STATE if os.geteuid() == 0 else own)


def chosen_state() -> StateDirectory:
    return StateDirectory(Path(os.environ["OPENBOND_STATE_DIR"]))


def made_state() -> StateDirectory:
    """Return the state directory if a server made it. Raises StateError."""
    directory = chosen_state()
    if not directory.authority.is_dir():
        raise StateError(
            f"{directory.root} is no state directory of a server. Give the right one with "
            "--state, or start `openbond server` on it first."
        )
    return directory


@contextmanager
def awake(state: Path | None) -> Iterator[None]:
    """Let a command use Django on a state directory that a server has made before."""
    use_state(state)
    with explained():
        made_state()
        wake_django()
        yield


def wake_django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()


@contextmanager
def explained() -> Iterator[None]:
    """Say in one sentence why something cannot be done; a traceback helps no operator."""
    try:
        yield
    except REFUSALS as error:
        _fail(str(error))
    except (DatabaseError, ImproperlyConfigured) as error:
        _fail(f"The database cannot be used: {str(error).strip().splitlines()[0]}.")
    except OSError as error:
        _fail(f"{error.filename or 'A file'}: {error.strerror or error}.")


def _fail(words: str) -> None:
    typer.echo(words, err=True)
    raise typer.Exit(1)
