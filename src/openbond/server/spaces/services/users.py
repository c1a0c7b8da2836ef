"""Writes to accounts (api-v3 07-people-spaces 1)."""

import secrets
from collections.abc import Iterable
from copy import copy
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from openbond.server.errors import Forbidden, InvalidFields, LastAdministrator, OwnAccount
from openbond.server.spaces.models import Group, Space, User
from openbond.server.spaces.selectors import codes_of, has_active_administrator
from openbond.server.system.actors import Actor
from openbond.server.system.changes import HIDDEN, Change, change_row, shown_values
from openbond.server.system.constraints import refusing
from openbond.server.system.locks import Lock, locked, take
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import record

UNIQUE = {
    "user_email_unique": ("email", "Email must be unique."),
    "user_username_unique": ("username", "Username must be unique."),
}
NOT_HELD = "You cannot grant permissions that you do not hold."
TOO_EASY = "The password may not be the e-mail address, the username or the name."
LOGIN_LAG = timedelta(hours=1)


class UserChanges(TypedDict, total=False):
    """`groups` replaces the membership; a `password` that is absent stays."""

    email: str
    username: str | None
    first_name: str
    last_name: str
    role: str
    active: bool
    space: Space
    groups: list[Group]
    password: str
    timezone: str


@transaction.atomic
def create_user(*, by: Actor, **values: Unpack[UserChanges]) -> User:
    """Make an account; `email` and `space` are needed. Without a password nobody can log in yet.

    Raises InvalidFields.
    """
    now = timezone.now()
    groups = values.get("groups", [])
    password = values.get("password")
    plain = _plain(values)
    plain.setdefault("timezone", current_settings().timezone)
    user = User(created=now, modified=now, **plain)
    _check(by, user, password=password, added=groups)
    user.password = make_password(password)
    with refusing(User, UNIQUE):
        user.save(force_insert=True)
    user.groups.set(groups)
    shown = shown_values(user, plain) | {"groups": _names(groups)}
    _record(by, "create", user, Change(after=shown), now)
    return user


@transaction.atomic
def update_user(*, by: Actor, user: User, **changes: Unpack[UserChanges]) -> User:
    """Change an account. A changed password ends its sessions; inactive ends all access.

    Raises InvalidFields; Forbidden for a user who holds more than the caller; OwnAccount;
    LastAdministrator.
    """
    now = timezone.now()
    take(Lock.ADMINISTRATORS)
    row = locked(User.objects.all(), user.pk)
    check_stronger(by, row)
    if row.pk == by.user_id and changes.get("active") is False:
        raise OwnAccount
    held = list(row.groups.prefetch_related("grants"))
    wanted = changes.get("groups", held)
    added = [group for group in wanted if group not in held]
    candidate = copy(row)
    for name, value in _plain(changes).items():
        setattr(candidate, name, value)
    _check(by, candidate, password=changes.get("password"), added=added)
    with refusing(User, UNIQUE):
        change = change_row(row, _plain(changes) | _hash(row, changes.get("password")), now=now)
    change = _with_groups(row, held, wanted, change, now)
    if change.after.get("active") is False:
        _end_sessions(row)
    if not has_active_administrator():
        raise LastAdministrator
    if change:
        _record(by, "update", row, change, now)
    user.refresh_from_db()
    return user


@transaction.atomic
def delete_user(*, by: Actor, user: User) -> None:
    """Delete an account with its tokens. Raises OwnAccount, Forbidden, LastAdministrator."""
    now = timezone.now()
    take(Lock.ADMINISTRATORS)
    row = locked(User.objects.all(), user.pk)
    check_stronger(by, row)
    if row.pk == by.user_id:
        raise OwnAccount
    change = Change(before=shown_values(row, ["email", "username", "space", "role", "active"]))
    _record(by, "delete", row, change, now)
    row.delete()
    if not has_active_administrator():
        raise LastAdministrator


def forget_sessions(*, now: datetime) -> None:
    """Delete sessions that have expired; they opened nothing any more."""
    Session.objects.filter(expire_date__lt=now).delete()


def note_login(*, user: User, now: datetime) -> None:
    """Move `last_login`, at most once an hour: it is no part of `modified`."""
    if user.last_login is not None and now - user.last_login < LOGIN_LAG:
        return
    User.objects.filter(pk=user.pk).update(last_login=now)


def check_stronger(by: Actor, user: User) -> None:
    """Raises Forbidden for a user who holds a code that the caller lacks."""
    if any(not by.can(code) for code in codes_of(user)):
        raise Forbidden


def _plain(values: UserChanges) -> dict[str, object]:
    plain = {name: value for name, value in values.items() if name not in ("groups", "password")}
    if plain.get("username") == "":
        plain["username"] = None
    return plain


def _check(by: Actor, user: User, *, password: str | None, added: Iterable[Group]) -> None:
    faults: dict[str, list[str]] = {}
    if any(not by.can(code) for group in added for code in group.codes):
        faults["groups"] = [NOT_HELD]
    if password is not None and _is_too_easy(user, password):
        faults["password"] = [TOO_EASY]
    if faults:
        raise InvalidFields(faults)


def _is_too_easy(user: User, password: str) -> bool:
    names = [user.email, user.username, user.first_name, user.last_name]
    whole = f"{user.first_name} {user.last_name}"
    return password.lower() in {name.lower() for name in [*names, whole] if name}


def _hash(row: User, password: str | None) -> dict[str, object]:
    if password is None or check_password(password, row.password):
        return {}
    return {"password": make_password(password)}


def _with_groups(
    row: User, held: list[Group], wanted: list[Group], change: Change, now: datetime
) -> Change:
    if "password" in change.after:
        change.before["password"] = change.after["password"] = HIDDEN
    if {group.pk for group in held} == {group.pk for group in wanted}:
        return change
    row.groups.set(wanted)
    User.objects.filter(pk=row.pk).update(modified=now)
    return Change(
        before=change.before | {"groups": _names(held)},
        after=change.after | {"groups": _names(wanted)},
    )


def _end_sessions(row: User) -> None:
    """End them for good: they must not come back when the account is let in again."""
    row.session_salt = secrets.token_hex(16)
    row.save(update_fields=["session_salt"])


def _names(groups: Iterable[Group]) -> list[str]:
    return sorted(group.name for group in groups)


def _record(by: Actor, action: str, user: User, change: Change, now: datetime) -> None:
    record(by=by, action=action, row=user, change=change, now=now, space_id=user.space_id)
