"""Writes to the tree of spaces; the closure table moves with it."""

from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from openbond.server.errors import Forbidden, InUse, InvalidFields, Protected
from openbond.server.spaces.models import (
    BRANDING_KEYS,
    SUPPORT_KEYS,
    Space,
    SpaceClosure,
    blank_branding,
    blank_support,
)
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import refusing
from openbond.server.system.locks import locked
from openbond.server.system.services import record

KEY_UNIQUE = {"space_key_unique": ("key", "Key must be unique.")}
SWITCHES = frozenset(
    {
        "use_parent_aggregators",
        "use_parent_qos_profiles",
        "use_parent_mobile_provider_profiles",
    }
)
LOOKS = frozenset({"branding", "support"})


class SpaceOptions(TypedDict, total=False):
    """`branding` and `support` may come in part; other keys keep their value."""

    crm_id: str
    note: str
    use_parent_aggregators: bool
    use_parent_qos_profiles: bool
    use_parent_mobile_provider_profiles: bool
    private_wan_enabled: bool
    branding: dict[str, str]
    support: dict[str, str]


class SpaceChanges(SpaceOptions, total=False):
    name: str
    key: str


@transaction.atomic
def create_space(
    *, by: Actor, name: str, key: str, parent: Space | None, **values: Unpack[SpaceOptions]
) -> Space:
    """Make a space below `parent`; without one, the root.

    Raises InvalidFields for a key that is taken or all digits.
    """
    now = timezone.now()
    _check_key(key)
    # The parent stays while its child is made: deleting it waits for this row.
    above = locked(Space.objects.all(), parent.pk) if parent else None
    merged = values | {
        "branding": _merged(values.get("branding"), blank_branding(), BRANDING_KEYS),
        "support": _merged(values.get("support"), blank_support(), SUPPORT_KEYS),
    }
    space = Space(
        name=name,
        key=key,
        parent=above,
        level=above.level + 1 if above else 0,
        created=now,
        modified=now,
        **merged,
    )
    with refusing(Space, KEY_UNIQUE):
        space.save(force_insert=True)
    _insert_closure(space)
    shown = Change(after=shown_values(space, ["name", "key", "parent", *values]))
    record(by=by, action="create", row=space, change=shown, now=now, space_id=space.pk)
    return space


@transaction.atomic
def write_space(*, by: Actor, space: Space, changes: SpaceChanges) -> Change:
    """Change a space's own row. Callers want bonds.services.update_space, which asks the bonds.

    Raises InvalidFields, and Forbidden where a code or the parent is out of the caller's reach.
    """
    now = timezone.now()
    row = locked(Space.objects.all(), space.pk)
    if "key" in changes:
        _check_key(changes["key"])
    sent = _whole(row, changes)
    _check_rights(by, row, {name for name, value in sent.items() if getattr(row, name) != value})
    with refusing(Space, KEY_UNIQUE):
        change = change_row(row, sent, now=now)
    if change:
        record(by=by, action="update", row=row, change=change, now=now, space_id=row.pk)
    space.refresh_from_db()
    return change


@transaction.atomic
def delete_space(*, by: Actor, space: Space) -> None:
    """Delete a space that nothing belongs to. Raises Protected for the root, InUse."""
    now = timezone.now()
    row = locked(Space.objects.all(), space.pk)
    if row.parent_id is None:
        raise Protected("The root space cannot be deleted.")
    change = Change(before=shown_values(row, ["name", "key", "parent"]))
    try:
        with transaction.atomic():
            record(by=by, action="delete", row=row, change=change, now=now, space_id=row.parent_id)
            row.delete()
    except ProtectedError:
        raise InUse("The space still holds objects or child spaces.") from None


def _insert_closure(space: Space) -> None:
    above = SpaceClosure.objects.filter(descendant_id=space.parent_id)
    pairs = [
        SpaceClosure(ancestor_id=row.ancestor_id, descendant=space, depth=row.depth + 1)
        for row in above
    ]
    SpaceClosure.objects.bulk_create(
        [*pairs, SpaceClosure(ancestor=space, descendant=space, depth=0)]
    )


def _check_key(key: str) -> None:
    if key.isdigit():
        raise InvalidFields.one("key", "The key may not consist of digits only.")


def _whole(row: Space, changes: SpaceChanges) -> dict[str, object]:
    sent: dict[str, object] = dict(changes)
    if row.parent_id is None:
        sent = {name: value for name, value in sent.items() if name not in SWITCHES}
    if "branding" in changes:
        sent["branding"] = _merged(changes["branding"], row.branding, BRANDING_KEYS)
    if "support" in changes:
        sent["support"] = _merged(changes["support"], row.support, SUPPORT_KEYS)
    return sent


def _merged(
    part: dict[str, str] | None, whole: dict[str, str], keys: tuple[str, ...]
) -> dict[str, str]:
    return {key: (part or {}).get(key, whole.get(key, "")) for key in keys}


def _check_rights(by: Actor, row: Space, changed: set[str]) -> None:
    if changed & LOOKS and not by.can("change_space_branding"):
        raise Forbidden
    if changed - LOOKS and not by.can("change_space"):
        raise Forbidden
    if changed & SWITCHES and row.parent_id is not None and not by.reaches(row.parent_id):
        raise Forbidden("Only users who reach the parent space may change what it shares.")
