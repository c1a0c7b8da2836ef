"""Writes to routing groups (api-v3 01-fleet 5)."""

from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from openbond.server.errors import InUse, Protected
from openbond.server.fleet.models import RoutingGroup
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import UNIQUE_NAME, refusing
from openbond.server.system.locks import locked
from openbond.server.system.services import record

NAME_UNIQUE = {"routing_group_name_unique_in_space": UNIQUE_NAME}


class RoutingGroupChanges(TypedDict, total=False):
    name: str
    note: str


@transaction.atomic
def create_routing_group(
    *, by: Actor, name: str, space: Space, note: str = "", is_default: bool = False
) -> RoutingGroup:
    """Make a routing group; `is_default` is for installation alone. Raises InvalidFields."""
    now = timezone.now()
    group = RoutingGroup(
        name=name, space=space, note=note, is_default=is_default, created=now, modified=now
    )
    with refusing(RoutingGroup, NAME_UNIQUE):
        group.save(force_insert=True)
    change = Change(after=shown_values(group, ["name", "space", "note"]))
    record(by=by, action="create", row=group, change=change, now=now, space_id=space.pk)
    return group


@transaction.atomic
def update_routing_group(
    *, by: Actor, group: RoutingGroup, **changes: Unpack[RoutingGroupChanges]
) -> RoutingGroup:
    """Change name or note; a group never changes space. Raises InvalidFields."""
    now = timezone.now()
    row = locked(RoutingGroup.objects.all(), group.pk)
    with refusing(RoutingGroup, NAME_UNIQUE):
        change = change_row(row, dict(changes), now=now)
    if change:
        record(by=by, action="update", row=row, change=change, now=now, space_id=row.space_id)
    return row


@transaction.atomic
def delete_routing_group(*, by: Actor, group: RoutingGroup) -> None:
    """Delete a group that nothing is in. Raises Protected for the built-in one, InUse."""
    now = timezone.now()
    row = locked(RoutingGroup.objects.all(), group.pk)
    if row.is_default:
        raise Protected("The built-in routing group cannot be deleted.")
    change = Change(before=shown_values(row, ["name", "space", "note"]))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=row.space_id)
    try:
        with transaction.atomic():
            row.delete()
    except ProtectedError:
        raise InUse("An aggregator or an IP allocation belongs to the routing group.") from None
