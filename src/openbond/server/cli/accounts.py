"""Accounts and their API tokens, by hand."""

from typing import Annotated

import typer
from django.core.management import call_command

from .passwords import PasswordOption, new_password
from .state import StateOption, awake

tokens = typer.Typer(help="API tokens of accounts.", no_args_is_help=True)


def create_admin(
    email: str, password_file: PasswordOption = None, state: StateOption = None
) -> None:
    """Make one more administrator of the root space."""
    with awake(state):
        call_command("create_admin", email=email, password=new_password(password_file))


def set_password(
    email: str, password_file: PasswordOption = None, state: StateOption = None
) -> None:
    """Give an account a new password, e.g. the administrator's that was lost."""
    with awake(state):
        call_command("set_password", email=email, password=new_password(password_file))


def delete_second_factors(email: str, state: StateOption = None) -> None:
    """Take authenticator app, keys and recovery codes away from who lost them all."""
    with awake(state):
        call_command("delete_second_factors", email=email)


@tokens.command("create")
def create_token(
    email: str,
    name: str,
    days: Annotated[int, typer.Option(help="Days until it expires.")] = 90,
    read_only: Annotated[bool, typer.Option(help="Only GET, HEAD and OPTIONS.")] = False,
    state: StateOption = None,
) -> None:
    """Make a token with its owner's permissions; it is shown once."""
    with awake(state):
        words = {"name": name, "days": days, "read_only": read_only}
        call_command("tokens", verb="create", email=email, **words)


@tokens.command("list")
def list_tokens(email: str, state: StateOption = None) -> None:
    """List the tokens of an account."""
    with awake(state):
        call_command("tokens", verb="list", email=email)


@tokens.command("revoke")
def revoke_token(email: str, name: str, state: StateOption = None) -> None:
    """Revoke a token: it ends at once."""
    with awake(state):
        call_command("tokens", verb="revoke", email=email, name=name)
