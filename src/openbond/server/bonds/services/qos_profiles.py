"""Changes a QoS profile: it acts at once on every bond that uses it (api-v3 06-qos-mobile 1.5)."""

from collections.abc import Sequence
from typing import Unpack

from django.db import transaction

from openbond.server.bonds.models import Bond
from openbond.server.errors import InvalidFields
from openbond.server.fleet.services import request_config_update
from openbond.server.qos.models import QosProfile
from openbond.server.qos.rules import ClassSpec, FilterSpec
from openbond.server.qos.selectors import is_qos_profile_usable_in
from openbond.server.qos.services import QosProfileChanges, write_qos_parts, write_qos_profile
from openbond.server.system.actors import Actor
from openbond.server.system.locks import locked

STILL_USED = "A bond of another space uses the profile, and could not use it there."


@transaction.atomic
def update_qos_profile(
    *, by: Actor, profile: QosProfile, **changes: Unpack[QosProfileChanges]
) -> QosProfile:
    """Change name, margin or space of a profile. Raises InvalidFields."""
    row = locked(QosProfile.objects.all(), profile.pk)
    change = write_qos_profile(by=by, profile=row, changes=changes)
    bonds = Bond.objects.filter(qos_profile=row).select_related("space")
    if change.touches({"space"}) and not all(
        is_qos_profile_usable_in(profile=row, space=bond.space) for bond in bonds
    ):
        raise InvalidFields.one("space", STILL_USED)
    if change.touches({"overhead_margin_permille"}):
        _tell_users(row)
    return row


@transaction.atomic
def replace_qos_parts(
    *,
    by: Actor,
    profile: QosProfile,
    classes: Sequence[ClassSpec],
    filters: Sequence[FilterSpec],
) -> QosProfile:
    """Give a profile other classes and filters, in their order. Raises InvalidFields."""
    row = locked(QosProfile.objects.all(), profile.pk)
    if write_qos_parts(by=by, profile=row, classes=classes, filters=filters):
        _tell_users(row)
    return row


def _tell_users(profile: QosProfile) -> None:
    for bond in Bond.objects.filter(qos_profile=profile):
        ends = [bond.bonder_id, bond.current_aggregator_id]
        request_config_update(ends, reason="QoS profile changed", bond_id=bond.pk)
