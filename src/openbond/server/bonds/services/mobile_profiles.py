"""Writes to mobile provider profiles (api-v3 06-qos-mobile 2)."""

from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from openbond.server.bonds.models import Bond, MobileProviderProfile
from openbond.server.errors import InUse, InvalidFields
from openbond.server.fleet.services import request_config_update
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import UNIQUE_NAME, refusing
from openbond.server.system.locks import locked
from openbond.server.system.services import record

from .usable import is_profile_usable_in

NAME_UNIQUE = {"mobile_profile_name_unique_in_space": UNIQUE_NAME}
TOLD = frozenset({"apn", "username", "password"})
SHOWN = ("name", "space", "apn", "username", "note")
STILL_USED = "A bond of another space uses the profile, and could not use it there."


class MobileProviderProfileOptions(TypedDict, total=False):
    username: str
    password: str
    note: str


class MobileProviderProfileChanges(MobileProviderProfileOptions, total=False):
    name: str
    apn: str
    space: Space


@transaction.atomic
def create_mobile_provider_profile(
    *,
    by: Actor,
    name: str,
    apn: str,
    space: Space,
    **options: Unpack[MobileProviderProfileOptions],
) -> MobileProviderProfile:
    """Make a profile. Raises InvalidFields."""
    now = timezone.now()
    profile = MobileProviderProfile(name=name, apn=apn, space=space, created=now, modified=now)
    for field, value in options.items():
        setattr(profile, field, value)
    with refusing(MobileProviderProfile, NAME_UNIQUE):
        profile.save(force_insert=True)
    change = Change(after=shown_values(profile, SHOWN))
    record(by=by, action="create", row=profile, change=change, now=now, space_id=space.pk)
    return profile


@transaction.atomic
def update_mobile_provider_profile(
    *,
    by: Actor,
    profile: MobileProviderProfile,
    **changes: Unpack[MobileProviderProfileChanges],
) -> MobileProviderProfile:
    """Change a profile; the bonders of its legs learn a new login. Raises InvalidFields."""
    now = timezone.now()
    row = locked(MobileProviderProfile.objects.all(), profile.pk)
    with refusing(MobileProviderProfile, NAME_UNIQUE):
        change = change_row(row, dict(changes), now=now)
    bonds = Bond.objects.filter(legs__provider_profile=row).select_related("space").distinct()
    if change.touches({"space"}) and not all(
        is_profile_usable_in(profile=row, space=bond.space) for bond in bonds
    ):
        raise InvalidFields.one("space", STILL_USED)
    if change.touches(TOLD):
        for bond in bonds:
            reason = "mobile provider profile changed"
            request_config_update([bond.bonder_id], reason=reason, bond_id=bond.pk)
    if change:
        record(by=by, action="update", row=row, change=change, now=now, space_id=row.space_id)
    return row


@transaction.atomic
def delete_mobile_provider_profile(*, by: Actor, profile: MobileProviderProfile) -> None:
    """Delete a profile that no leg uses. Raises InUse."""
    now = timezone.now()
    row = locked(MobileProviderProfile.objects.all(), profile.pk)
    change = Change(before=shown_values(row, SHOWN))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=row.space_id)
    try:
        with transaction.atomic():
            row.delete()
    except ProtectedError as error:
        count = len(error.protected_objects)
        legs = "1 leg" if count == 1 else f"{count} legs"
        raise InUse(f"The profile is used by {legs}.") from None
