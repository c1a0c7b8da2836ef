"""Writes to QoS profiles; a change that bonds must learn goes by bonds.services."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TypedDict

from django.db import transaction
from django.db.models import F, ProtectedError
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
    BAD_MARGIN,
    DEFAULT_CLASSES,
    DEFAULT_FILTERS,
    MAX_CLASSES,
    ClassSpec,
    FilterSpec,
    faults_of_profile,
    is_margin,
)
from .selectors import parts_of

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
    if not is_margin(overhead_margin_permille):
        faults["overhead_margin"] = [BAD_MARGIN]
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
    _write_parts(profile, classes, filters)
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
    if not is_margin(changes.get("overhead_margin_permille", 0)):
        raise InvalidFields.one("overhead_margin", BAD_MARGIN)
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


@transaction.atomic
def write_qos_parts(
    *,
    by: Actor,
    profile: QosProfile,
    classes: Sequence[ClassSpec],
    filters: Sequence[FilterSpec],
) -> bool:
    """Give a locked profile other classes and filters; return whether anything changed.

    A class keeps its id by its name, a filter by its position. Callers want
    bonds.services.replace_qos_parts. Raises InvalidFields.
    """
    now = timezone.now()
    faults = faults_of_profile(classes, filters)
    if faults:
        raise InvalidFields(faults)
    before = parts_of(profile)
    if before == (tuple(classes), tuple(filters)):
        return False
    _write_parts(profile, classes, filters)
    QosProfile.objects.filter(pk=profile.pk).update(modified=now)
    change = Change(before=_shown_parts(*before), after=_shown_parts(classes, filters))
    space_id = profile.space_id
    record(by=by, action="update", row=profile, change=change, now=now, space_id=space_id)
    return True


def _write_parts(
    profile: QosProfile, classes: Sequence[ClassSpec], filters: Sequence[FilterSpec]
) -> None:
    targets = _write_classes(profile, classes)
    known = {row.position: row for row in profile.filters.all()}
    for position, one in enumerate(filters, start=1):
        row = known.pop(position, None) or QosFilter(profile=profile, position=position)
        for name, value in asdict(one).items():
            setattr(row, name, targets[one.target.lower()] if name == "target" else value)
        row.save()
    QosFilter.objects.filter(pk__in=[row.pk for row in known.values()]).delete()
    profile.classes.exclude(pk__in=[row.pk for row in targets.values()]).delete()


def _write_classes(profile: QosProfile, classes: Sequence[ClassSpec]) -> dict[str, QosClass]:
    known = {row.name.lower(): row for row in profile.classes.all()}
    # Out of the way first: positions and the one default are unique at every moment.
    profile.classes.update(position=F("position") + MAX_CLASSES, is_default=False)
    targets = {}
    for position, one in enumerate(classes, start=1):
        row = known.get(one.name.lower()) or QosClass(profile=profile)
        row.position, row.name = position, one.name
        row.bandwidth, row.is_default, row.copies = one.bandwidth, one.is_default, one.copies
        row.save()
        targets[one.name.lower()] = row
    return targets


def _shown_parts(classes: Sequence[ClassSpec], filters: Sequence[FilterSpec]) -> dict[str, object]:
    return {
        "classes": [asdict(one) for one in classes],
        "filters": [asdict(one) for one in filters],
    }
