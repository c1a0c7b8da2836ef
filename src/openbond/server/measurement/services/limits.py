"""Writes to the limits of measurements in a space."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from openbond.server.errors import InvalidFields
from openbond.server.measurement.models import MeasuringLimits
from openbond.server.measurement.selectors.limits import NAMES
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change
from openbond.server.system.locks import locked
from openbond.server.system.services import record

MOST = 1_000_000


@transaction.atomic
def set_measuring_limits(*, by: Actor, space: Space, limits: Mapping[str, int | None]) -> None:
    """Set some limits of a space; None takes the nearest ancestor's again. Raises InvalidFields."""
    for name, value in limits.items():
        if name not in NAMES:
            raise InvalidFields.one(name, f"There are the limits {', '.join(NAMES)}.")
        if value is not None and not 1 <= value <= MOST:
            raise InvalidFields.one(name, f"A limit is a whole number from 1 to {MOST}.")
    now = timezone.now()
    locked(Space.objects.all(), space.pk)
    row, _ = MeasuringLimits.objects.get_or_create(space=space)
    before = {name: getattr(row, name) for name in limits}
    for name, value in limits.items():
        setattr(row, name, value)
    row.save(update_fields=list(limits))
    change = Change(before=before, after=dict(limits))
    action = "set_measuring_limits"
    record(by=by, action=action, row=space, change=change, now=now, space_id=space.pk)
