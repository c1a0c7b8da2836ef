"""Maintenance windows: while people work at a bond, no alarm opens for it (behaviour 3.10)."""

from datetime import datetime

from django.db import transaction

from openbond.server.bonds.models import Bond
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change
from openbond.server.system.models import MaintenanceWindow
from openbond.server.system.services import record


@transaction.atomic
def begin_maintenance(
    *, by: Actor, subject: Bond | Space, now: datetime, ends: datetime
) -> MaintenanceWindow:
    """Open a window for a bond, or for a space and all below; one that is open ends with it."""
    end_maintenance(by=by, subject=subject, now=now)
    window = MaintenanceWindow.objects.create(**_columns(subject), begins=now, ends=ends)
    _record(
        by, "begin_maintenance", subject, Change(after={"ends": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}), now
    )
    return window


@transaction.atomic
def end_maintenance(*, by: Actor, subject: Bond | Space, now: datetime) -> bool:
    """End the window of a bond or space now; report whether there was one."""
    is_open = MaintenanceWindow.objects.filter(
        **_columns(subject), begins__lte=now, ends__gt=now
    ).update(ends=now)
    if is_open:
        _record(by, "end_maintenance", subject, Change(), now)
    return bool(is_open)


def _columns(subject: Bond | Space) -> dict[str, int]:
    return {"bond_id": subject.pk} if isinstance(subject, Bond) else {"space_id": subject.pk}


def _record(by: Actor, action: str, subject: Bond | Space, change: Change, now: datetime) -> None:
    space_id = subject.space_id if isinstance(subject, Bond) else subject.pk
    record(by=by, action=action, row=subject, change=change, now=now, space_id=space_id)
