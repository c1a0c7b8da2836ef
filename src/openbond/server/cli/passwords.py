"""Where a command takes a password from: a file, the environment, or the keyboard."""

import os
from pathlib import Path
from typing import Annotated

import typer

from openbond.server.control.state_files import StateError

PasswordOption = Annotated[
    Path | None, typer.Option(help="File that holds the password; else it is asked for.")
]


def given_password(file: Path | None) -> str:
    """Return the password of the first administrator, "" if none is given. Raises StateError."""
    given = os.environ.pop("OPENBOND_ADMIN_PASSWORD", "")
    return given if file is None else _read_password(file)


def new_password(file: Path | None) -> str:
    """Return the password in `file`, or ask for one. Raises StateError."""
    if file is not None:
        return _read_password(file)
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked


def _read_password(file: Path) -> str:
    try:
        password = file.read_text().strip()
    except OSError as error:
        raise StateError(f"Cannot read {file}: {error.strerror}.") from error
    if not password:
        raise StateError(f"{file} is empty. Write the password into it.")
    return password
