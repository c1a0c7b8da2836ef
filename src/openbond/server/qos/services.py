"""Writes to QoS profiles; a change that bonds must learn goes by bonds.services."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TypedDict

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from openbond.server.errors import InUse, InvalidFields
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import UNIQUE_NAME, refusing
from openbond.server.system.locks import locked
from openbond.server.system.services import record

from .models import QosClass, QosFilter, QosProfile
from .rules import (
    DEFAULT_CLASSES,
    DEFAULT_FILTERS,
    ClassSpec,
    FilterSpec,
    faults_of_profile,
)

NAME_UNIQUE = {"qos_profile_name_unique_in_space": UNIQUE_NAME}
SHOWN = ("name", "space", "overhead_margin_permille")


class QosProfileChanges(TypedDict, total=False):
    name: str
    overhead_margin_permille: int
    space: Space


@transaction.atomic
def create_qos_profile(
    *,
    by: Actor,
    name: str,
    space: Space,
    classes: Sequence[ClassSpec],
    filters: Sequence[FilterSpec] = (),
    overhead_margin_permille: int = 50,
    is_default: bool = False,
) -> QosProfile:
    """Make a profile with its classes and filters, in their order. Raises InvalidFields."""
    now = timezone.now()
    faults = faults_of_profile(classes, filters)
    if faults:
        raise InvalidFields(faults)
    profile = QosProfile(
        name=name,
        space=space,
        overhead_margin_permille=overhead_margin_permille,
        is_default=is_default,
        created=now,
        modified=now,
    )
    with refusing(QosProfile, NAME_UNIQUE):
        profile.save(force_insert=True)
    _insert_parts(profile, classes, filters)
    change = Change(after=shown_values(profile, SHOWN))
    record(by=by, action="create", row=profile, change=change, now=now, space_id=space.pk)
    return profile


def create_default_qos_profile(*, by: Actor, space: Space) -> QosProfile:
    """Make the profile "Default" that installation puts into the root space."""
    return create_qos_profile(
        by=by,
        name="Default",
        space=space,
        classes=DEFAULT_CLASSES,
        filters=DEFAULT_FILTERS,
        is_default=True,
    )


@transaction.atomic
def write_qos_profile(*, by: Actor, profile: QosProfile, changes: QosProfileChanges) -> Change:
    """Change the profile's own row. Callers want bonds.services.update_qos_profile."""
    now = timezone.now()
    with refusing(QosProfile, NAME_UNIQUE):
        change = change_row(profile, dict(changes), now=now)
    if change:
        space_id = profile.space_id
        record(by=by, action="update", row=profile, change=change, now=now, space_id=space_id)
    return change


@transaction.atomic
def delete_qos_profile(*, by: Actor, profile: QosProfile) -> None:
    """Delete a profile that no bond uses. Raises InUse."""
    now = timezone.now()
    row = locked(QosProfile.objects.all(), profile.pk)
    change = Change(before=shown_values(row, SHOWN))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=row.space_id)
    try:
        with transaction.atomic():
            row.delete()
    except ProtectedError:
        raise InUse("A bond uses the QoS profile.") from None


def _insert_parts(
    profile: QosProfile, classes: Sequence[ClassSpec], filters: Sequence[FilterSpec]
) -> None:
    targets = {}
    for position, one in enumerate(classes, start=1):
        row = QosClass.objects.create(profile=profile, position=position, **asdict(one))
        targets[one.name.lower()] = row
    QosFilter.objects.bulk_create(
        QosFilter(
            profile=profile,
            position=position,
            **(asdict(one) | {"target": targets[one.target.lower()]}),
        )
        for position, one in enumerate(filters, start=1)
    )
