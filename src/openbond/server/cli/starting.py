"""Start the management server; the first start makes all that it needs."""

import os
import secrets
import shutil
import socket
from pathlib import Path
from typing import Annotated

import typer
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, OperationalError, connections
from django.db.migrations.loader import MigrationLoader

from openbond.server.control.authority import Authority
from openbond.server.control.clock import server_time
from openbond.server.control.state_files import StateDirectory, StateError
from openbond.server.project.state import SECRETS_DIRECTORY, create_secrets, read_secrets
from openbond.server.telemetry import ALIAS as TELEMETRY
from openbond.server.telemetry.database import (
    is_locked,
    is_whole_file,
    make_tables,
    set_aside,
)

from .passwords import given_password
from .state import StateOption, awake, chosen_state, explained, use_state, wake_django

DEFAULT_PORT = 8443
BACKLOG = 2048
DATABASES = (DEFAULT_DB_ALIAS, TELEMETRY)


def start(
    context: typer.Context,
    state: StateOption = None,
    host: Annotated[str, typer.Option(help="Address to listen at; default: all.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(help="TCP port, HTTPS.")] = DEFAULT_PORT,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Another name or address the server is reached by; may be repeated."),
    ] = None,
    admin_email: Annotated[
        str, typer.Option(envvar="OPENBOND_ADMIN_EMAIL", help="First start only.")
    ] = "admin@localhost",
    admin_password_file: Annotated[
        Path | None,
        typer.Option(help="First start only; also OPENBOND_ADMIN_PASSWORD. Else one is made."),
    ] = None,
    admin_by_page: Annotated[
        bool,
        typer.Option(
            "--admin-by-page",
            help="First start only: make no administrator; the site's first page asks for him.",
        ),
    ] = False,
) -> None:
    """Start the server. The first start on a state directory makes all that it needs."""
    use_state(state)
    if context.invoked_subcommand is not None:
        return
    os.umask(0o077)  # the database is as secret as the keys beside it
    with explained():
        directory = chosen_state()
        directory.create()
        lock = directory.lock()
        listener = _listen(host, port)
        is_new = _make_keys(directory)
        wake_django()
        _bring_up_to_date()
        email = "" if admin_by_page else admin_email
        _install(directory, email, admin_password_file, is_new=is_new)
        names = [*(name or []), *([] if _is_any(host) else [host])]
        call_command("serve", state=directory, listener=listener, names=names)
        lock.release()


def check(state: StateOption = None) -> None:
    """Check settings and database without starting anything."""
    with awake(state):
        call_command("check", databases=list(DATABASES), deploy=False)


def _make_keys(directory: StateDirectory) -> bool:
    """Make secrets and authority of a new state directory; return whether it was new."""
    is_new = not (directory.authority / "ca.pem").exists()
    if not is_new and not read_secrets(directory.root).are_kept:
        raise StateError(
            f"The secrets in {directory.root} are missing, and without them no password in the "
            "database can be read. Restore a backup."
        )
    create_secrets(directory.root)
    Authority.open_or_create(directory.authority, now=server_time())
    return is_new


def _bring_up_to_date() -> None:
    newer = _newer_migration(DEFAULT_DB_ALIAS)
    if newer:
        raise StateError(
            f"The database is of a newer openbond (it knows {newer}). Install that version again, "
            "or restore a backup made with this one."
        )
    call_command("migrate", verbosity=0, interactive=False)
    _bring_telemetry_up_to_date()
    call_command("check", databases=list(DATABASES), stdout=_Silent())


def _bring_telemetry_up_to_date() -> None:
    """Make or upgrade the database of charts; a file that cannot be used gives way to a new one."""
    if not is_whole_file():
        set_aside(why="it is damaged")
    try:
        _migrate_telemetry()
    except DatabaseError as damage:
        if is_locked(damage):
            raise
        if set_aside(why=str(damage)) is None:
            if isinstance(damage, OperationalError):
                raise  # its server does not answer
            raise StateError(
                f"The schema {TELEMETRY} cannot be made or brought up to date: {damage}. Let the "
                "server's role make schemas in this database, or drop the schema: it holds charts "
                "only."
            ) from damage
        _migrate_telemetry()


def _migrate_telemetry() -> None:
    newer = _newer_migration(TELEMETRY)
    if newer and set_aside(why=f"it is of a newer openbond, and knows {newer}") is None:
        raise StateError(
            f"The schema {TELEMETRY} is of a newer openbond (it knows {newer}). Install that "
            "version again, or drop the schema: it holds charts only."
        )
    make_tables()


def _newer_migration(alias: str) -> str:
    """Return the name of a migration that the database has and we do not; "" when there is none."""
    loader = MigrationLoader(connections[alias], ignore_no_migrations=True)
    ours = loader.migrated_apps
    unknown = {key for key in loader.applied_migrations or {} if key[0] in ours}
    newer = sorted(unknown - set(loader.disk_migrations or {}))
    return " ".join(newer[0]) if newer else ""


def _install(
    directory: StateDirectory, email: str, password_file: Path | None, *, is_new: bool
) -> None:
    given = given_password(password_file)
    password = given or secrets.token_urlsafe(12)
    if call_command("install", email=email, password=password, stdout=_Silent()) is None:
        if is_new:
            _refuse_foreign_database(directory)
        return
    if not email:
        return
    typer.echo(f"Administrator: {email}")
    if not given:
        typer.echo(f"Password, shown this once: {password}")


def _refuse_foreign_database(directory: StateDirectory) -> None:
    # Keys made a moment ago must not stay: the next start would take them for the database's own.
    for made in (directory.authority, directory.root / SECRETS_DIRECTORY):
        shutil.rmtree(made, ignore_errors=True)
    raise StateError(
        f"The database belongs to a server whose keys are not in {directory.root}: its nodes and "
        "passwords would be lost. Put the right state directory back, or restore a backup."
    )


class _Silent:
    """A stream for commands whose outcome is said by somebody else."""

    def write(self, text: str) -> int:
        return len(text)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # At once: two that only bind would not notice one another. Who connects now waits.
        listener.listen(BACKLOG)
    except OSError as error:
        raise StateError(
            f"Cannot listen at {host} port {port}: {error.strerror or error}. Stop what uses it, "
            "or choose another with --host and --port."
        ) from error
    listener.set_inheritable(False)
    return listener


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
