"""Writes to spaces, users, groups and tokens. `by` is who writes: a Viewer, or the server."""

from .groups import create_group, delete_group, install_group, update_group
from .password_links import mail_password_link, user_of_link
from .preferences import choose_columns
from .second_factors import delete_second_factors
from .spaces import SpaceChanges, create_space, delete_space, write_space
from .tokens import IssuedToken, create_token, delete_token, note_token_use
from .users import (
    UserChanges,
    create_user,
    delete_user,
    forget_sessions,
    note_login,
    update_user,
)

__all__ = [
    "IssuedToken",
    "SpaceChanges",
    "UserChanges",
    "choose_columns",
    "create_group",
    "create_space",
    "create_token",
    "create_user",
    "delete_group",
    "delete_second_factors",
    "delete_space",
    "delete_token",
    "delete_user",
    "forget_sessions",
    "install_group",
    "mail_password_link",
    "note_login",
    "note_token_use",
    "update_group",
    "update_user",
    "user_of_link",
    "write_space",
]
