"""`openbond server`: start the management server, and what is done to it by hand."""

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import django
import typer
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from .control.authority import Authority
from .control.clock import server_time
from .control.state_files import StateDirectory, StateError
from .control.web_tls import WebTls, put_in, write_request
from .project.databases import BadDatabaseUrl
from .project.state import SECRETS_DIRECTORY, create_secrets, read_secrets
from .system.backups import BackupDamaged, RestoreRefused, restore_files

DEFAULT_PORT = 8443
BACKLOG = 2048
SYSTEM_STATE = Path("/var/lib/openbond")
SETTINGS = "openbond.server.project.settings"

app = typer.Typer(
    help="The management server: API, nodes' channel, and background work in one process."
)

# What says by itself why it was refused, and what to do.
REFUSALS = (StateError, BadDatabaseUrl, CommandError, BackupDamaged, RestoreRefused)

tokens = typer.Typer(help="API tokens of accounts.", no_args_is_help=True)
app.add_typer(tokens, name="token")
certificates = typer.Typer(help="The web server's certificate.", no_args_is_help=True)
app.add_typer(certificates, name="certificate")

PasswordOption = Annotated[
    Path | None, typer.Option(help="File that holds the password; else it is asked for.")
]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="The directory that the server owns."),
]


@app.callback(invoke_without_command=True)
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
) -> None:
    """Start the server. The first start on a state directory makes all that it needs."""
    _use_state(state)
    if context.invoked_subcommand is not None:
        return
    os.umask(0o077)  # the database is as secret as the keys beside it
    with _explained():
        directory = _state()
        directory.create()
        lock = directory.lock()
        listener = _listen(host, port)
        is_new = _make_keys(directory)
        _wake_django(directory)
        _bring_up_to_date()
        _install(directory, admin_email, admin_password_file, is_new=is_new)
        names = [*(name or []), *([] if _is_any(host) else [host])]
        call_command("serve", state=directory, listener=listener, names=names)
        lock.release()


@app.command()
def check(state: StateOption = None) -> None:
    """Check settings and database without starting anything."""
    with _django(state):
        call_command("check", databases=["default"], deploy=False)


@app.command("create-admin")
def create_admin(
    email: str, password_file: PasswordOption = None, state: StateOption = None
) -> None:
    """Make one more administrator of the root space."""
    with _django(state):
        call_command("create_admin", email=email, password=_new_password(password_file))


@app.command("set-password")
def set_password(
    email: str, password_file: PasswordOption = None, state: StateOption = None
) -> None:
    """Give an account a new password, e.g. the administrator's that was lost."""
    with _django(state):
        call_command("set_password", email=email, password=_new_password(password_file))


@app.command()
def backup(state: StateOption = None) -> None:
    """Make a backup now; the server may run meanwhile."""
    with _django(state):
        call_command("backup")


@app.command()
def restore(file: Path, state: StateOption = None) -> None:
    """Make a blank server what it was when FILE was made; its nodes come back untouched."""
    _use_state(state)
    os.umask(0o077)
    with _explained():
        directory = _state()
        vendor = "postgresql" if os.environ.get("OPENBOND_DATABASE_URL") else "sqlite"
        manifest = restore_files(backup=file, state=directory.root, database=vendor)
        if vendor == "postgresql":
            _wake_django(directory)
            call_command("restore_database", backup=file, manifest=manifest)
        typer.echo(f"Restored the server of {manifest.created} into {directory.root}.")
        typer.echo("Start it under the same address; its nodes find it by themselves.")


@tokens.command("create")
def create_token(
    email: str,
    name: str,
    days: Annotated[int, typer.Option(help="Days until it expires.")] = 90,
    read_only: Annotated[bool, typer.Option(help="Only GET, HEAD and OPTIONS.")] = False,
    state: StateOption = None,
) -> None:
    """Make a token with its owner's permissions; it is shown once."""
    with _django(state):
        words = {"name": name, "days": days, "read_only": read_only}
        call_command("tokens", verb="create", email=email, **words)


@tokens.command("list")
def list_tokens(email: str, state: StateOption = None) -> None:
    """List the tokens of an account."""
    with _django(state):
        call_command("tokens", verb="list", email=email)


@tokens.command("revoke")
def revoke_token(email: str, name: str, state: StateOption = None) -> None:
    """Revoke a token: it ends at once."""
    with _django(state):
        call_command("tokens", verb="revoke", email=email, name=name)


@certificates.command("request")
def request_certificate(
    name: Annotated[list[str], typer.Option(help="Host name or address; the first is the main.")],
    organization: str = "",
    organizational_unit: str = "",
    locality: str = "",
    region: Annotated[str, typer.Option(help="State or province.")] = "",
    country: Annotated[str, typer.Option(help="Two letters.")] = "",
    email: str = "",
    state: StateOption = None,
) -> None:
    """Print a signing request for another authority, for the key in use."""
    _use_state(state)
    words = {
        "common_name": name[0],
        "organization": organization,
        "organizational_unit": organizational_unit,
        "locality": locality,
        "state": region,
        "country": country.upper(),
        "email": email,
    }
    with _explained():
        files = WebTls(_made_state().tls)
        subject = {part: text for part, text in words.items() if text}
        write_request(files, subject=subject, names=name)
        typer.echo(files.request.read_text(), nl=False)


@certificates.command("use")
def use_certificate(file: Path, state: StateOption = None) -> None:
    """Use a certificate of another authority (PEM, its chain after it); no restart is needed."""
    _use_state(state)
    with _explained():
        leaf = put_in(WebTls(_made_state().tls), file.read_bytes())
        typer.echo(
            f"In use until {leaf.not_valid_after_utc:%Y-%m-%d}; a running server takes it over "
            "within a minute."
        )


def _use_state(state: Path | None) -> None:
    if state is not None:
        os.environ["OPENBOND_STATE_DIR"] = str(state.absolute())
    elif "OPENBOND_STATE_DIR" not in os.environ:
        own = Path.home() / ".local" / "share" / "openbond"
        os.environ["OPENBOND_STATE_DIR"] = str(SYSTEM_STATE if os.geteuid() == 0 else own)


def _state() -> StateDirectory:
    return StateDirectory(Path(os.environ["OPENBOND_STATE_DIR"]))


@contextmanager
def _django(state: Path | None) -> Iterator[None]:
    """Let a command use a state directory that a server has made before."""
    _use_state(state)
    with _explained():
        _wake_django(_made_state())
        yield


def _made_state() -> StateDirectory:
    directory = _state()
    if not directory.authority.is_dir():
        raise StateError(
            f"{directory.root} is no state directory of a server. Give the right one with "
            "--state, or start `openbond server` on it first."
        )
    return directory


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


def _wake_django(directory: StateDirectory) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()


def _bring_up_to_date() -> None:
    _refuse_newer_database()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("check", databases=["default"], stdout=_Silent())


def _refuse_newer_database() -> None:
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    ours = loader.migrated_apps
    unknown = {key for key in loader.applied_migrations or {} if key[0] in ours}
    newer = sorted(unknown - set(loader.disk_migrations or {}))
    if newer:
        label, name = newer[0]
        raise StateError(
            f"The database is of a newer openbond (it knows {label} {name}). Install that version "
            "again, or restore a backup made with this one."
        )


def _install(
    directory: StateDirectory, email: str, password_file: Path | None, *, is_new: bool
) -> None:
    given = _given_password(password_file)
    password = given or secrets.token_urlsafe(12)
    if call_command("install", email=email, password=password, stdout=_Silent()) is None:
        if is_new:
            _refuse_foreign_database(directory)
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


def _given_password(file: Path | None) -> str:
    given = os.environ.pop("OPENBOND_ADMIN_PASSWORD", "")
    return given if file is None else _read_password(file)


def _new_password(file: Path | None) -> str:
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


@contextmanager
def _explained() -> Iterator[None]:
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
