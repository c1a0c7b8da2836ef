"""Writes to groups; only users of the root space make them (api-v3 07-people-spaces 2)."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from openbond.server.errors import InUse, InvalidFields, Protected
from openbond.server.spaces.models import Group, GroupGrant
from openbond.server.spaces.permissions import ADMINISTRATOR, PERMISSIONS
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import UNIQUE_NAME, refusing
from openbond.server.system.locks import locked
from openbond.server.system.services import record

NAME_UNIQUE = {"group_name_unique": UNIQUE_NAME}
NOT_HELD = "You cannot grant permissions that you do not hold."
BUILT_IN = "The group Administrator is built in."


@transaction.atomic
def create_group(*, by: Actor, name: str, permissions: Iterable[str] = ()) -> Group:
    """Make a group that grants `permissions`. Raises InvalidFields."""
    now = timezone.now()
    codes = set(permissions)
    _check_codes(by, added=codes)
    group = Group(name=name, created=now, modified=now)
    with refusing(Group, NAME_UNIQUE):
        group.save(force_insert=True)
    _grant(group, codes)
    change = Change(after={"name": name, "permissions": sorted(codes)})
    record(by=by, action="create", row=group, change=change, now=now)
    return group


@transaction.atomic
def install_group(*, by: Actor, name: str, codes: Iterable[str]) -> Group:
    """Make a default group; Administrator is built in and grants every code, later ones too."""
    group = create_group(by=by, name=name, permissions=codes)
    if name == ADMINISTRATOR:
        group.is_builtin = True
        group.save(update_fields=["is_builtin"])
    return group


@transaction.atomic
def update_group(
    *,
    by: Actor,
    group: Group,
    name: str | None = None,
    permissions: Iterable[str] | None = None,
) -> Group:
    """Change a group; `permissions` replaces its codes. Raises Protected, InvalidFields."""
    now = timezone.now()
    row = _locked(group)
    with refusing(Group, NAME_UNIQUE):
        change = change_row(row, {} if name is None else {"name": name}, now=now)
    if permissions is not None:
        change = _with_codes(by, row, set(permissions), change, now)
    if change:
        record(by=by, action="update", row=row, change=change, now=now)
    return Group.objects.prefetch_related("grants").get(pk=row.pk)


@transaction.atomic
def delete_group(*, by: Actor, group: Group) -> None:
    """Delete a group without members. Raises Protected, InUse."""
    now = timezone.now()
    row = _locked(group)
    if row.users.exists():
        raise InUse("The group has members.")
    change = Change(before=shown_values(row, ["name"]) | {"permissions": sorted(row.codes)})
    record(by=by, action="delete", row=row, change=change, now=now)
    row.delete()


def _locked(group: Group) -> Group:
    row = locked(Group.objects.all(), group.pk)
    if row.is_builtin:
        raise Protected(BUILT_IN)
    return row


def _with_codes(by: Actor, row: Group, wanted: set[str], change: Change, now: datetime) -> Change:
    held = set(row.codes)
    if wanted == held:
        return change
    _check_codes(by, added=wanted - held)
    row.grants.filter(code__in=held - wanted).delete()
    _grant(row, wanted - held)
    Group.objects.filter(pk=row.pk).update(modified=now)
    return Change(
        before=change.before | {"permissions": sorted(held)},
        after=change.after | {"permissions": sorted(wanted)},
    )


def _check_codes(by: Actor, *, added: set[str]) -> None:
    unknown = [f'"{code}" is not a valid choice.' for code in sorted(added - PERMISSIONS.keys())]
    if unknown:
        raise InvalidFields({"permissions": unknown})
    if any(not by.can(code) for code in added):
        raise InvalidFields.one("permissions", NOT_HELD)


def _grant(group: Group, codes: set[str]) -> None:
    GroupGrant.objects.bulk_create(GroupGrant(group=group, code=code) for code in sorted(codes))
