"""Writes to legs of all four types (api-v3 03-legs)."""

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from openbond.server.bonds.models import Bond, ConnectedIP, Leg, LegReport, MobileProviderProfile
from openbond.server.bonds.rules.legs import NOT_AN_INTERFACE, faults_of_static, is_interface
from openbond.server.bonds.selectors.states import would_end_service
from openbond.server.errors import InvalidFields, LastWorkingLeg
from openbond.server.fleet.services import request_config_update
from openbond.server.system.actors import Actor
from openbond.server.system.alerts import raise_alert
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import refusing
from openbond.server.system.locks import locked
from openbond.server.system.services import record
from openbond.wire.states import LegType, LinkMode

from .ports import give_port
from .rows import lock_bond, refuse_while_tuning
from .usable import is_profile_usable_in

INTERFACE_TAKEN = "Another leg of the bond uses the interface."
MODEM_TAKEN = "Another leg of the bond uses the modem."
UNIQUE = {
    "leg_interface_unique_in_bond": ("interface", INTERFACE_TAKEN),
    "leg_modem_unique_in_bond": ("modem", MODEM_TAKEN),
}
CUSTOMER_SIDE = "A connected IP of the bond uses the interface."
PROFILE_NOT_USABLE = "The mobile provider profile may not be used in the bond's space."
SHOWN = ("type", "interface", "link_mode", "failover", "down_kbps", "up_kbps", "ip", "gateway")


class LegOptions(TypedDict, total=False):
    """Columns of every type; each type takes its own. Speeds in kbit/s, MTU in bytes.

    static: ip, prefix, gateway. pppoe: username, password, service_name. mobilebroadband:
    provider_profile, modem, and no interface.
    """

    link_mode: str
    failover: bool
    interface: str
    interface_mac: str | None
    interface_mtu: int | None
    interface_mode: str
    note: str
    ip: str
    prefix: int
    gateway: str
    username: str
    password: str
    service_name: str
    provider_profile: MobileProviderProfile
    modem: str


class LegChanges(LegOptions, total=False):
    down_kbps: int
    up_kbps: int


@transaction.atomic
def create_leg(
    *,
    by: Actor,
    bond: Bond,
    type: LegType,
    down_kbps: int,
    up_kbps: int,
    **options: Unpack[LegOptions],
) -> Leg:
    """Make a leg. Raises InvalidFields, TuningInProgress."""
    now = timezone.now()
    owner = lock_bond(bond.pk)
    leg = Leg(
        bond=owner,
        space=owner.space,
        type=type.value,
        down_kbps=down_kbps,
        up_kbps=up_kbps,
        created=now,
        modified=now,
    )
    for name, value in options.items():
        setattr(leg, name, value)
    _check(leg, owner, sent=options)
    refuse_while_tuning(owner)
    with refusing(Leg, UNIQUE):
        leg.save(force_insert=True)
    LegReport.objects.create(leg=leg)
    give_port(leg=leg, bond=owner)
    _tell(owner, f"leg {leg.pk} created")
    change = Change(after=shown_values(leg, SHOWN))
    record(by=by, action="create", row=leg, change=change, now=now, space_id=owner.space_id)
    return leg


@transaction.atomic
def update_leg(*, by: Actor, leg: Leg, force: bool = True, **changes: Unpack[LegChanges]) -> Leg:
    """Change a leg. Leaving `offline` makes its states unknown again.

    A change that ends the bond's service goes out as a config that the nodes may not undo; without
    `force` it is refused (behaviour 1.10). Raises InvalidFields, TuningInProgress, LastWorkingLeg.
    """
    now = timezone.now()
    owner = lock_bond(leg.bond_id)
    row = locked(Leg.objects.all(), leg.pk)
    after = copy(row)
    for name, value in changes.items():
        setattr(after, name, value)
    if changes.keys() - {"link_mode"}:
        _check(after, owner, sent=changes)
    refuse_while_tuning(owner)
    ends = _ends_service(row, after, now=now, force=force)
    with refusing(Leg, UNIQUE):
        change = change_row(row, dict(changes), now=now)
    _settle(row, owner, change, forced=ends)
    if change:
        record(by=by, action="update", row=row, change=change, now=now, space_id=owner.space_id)
    return row


@transaction.atomic
def delete_leg(*, by: Actor, leg: Leg, force: bool = True) -> None:
    """Delete a leg. Raises TuningInProgress, and LastWorkingLeg without `force`."""
    now = timezone.now()
    owner = lock_bond(leg.bond_id)
    row = locked(Leg.objects.all(), leg.pk)
    refuse_while_tuning(owner)
    ends = _ends_service(row, None, now=now, force=force)
    change = Change(before=shown_values(row, SHOWN))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=owner.space_id)
    _tell(owner, f"leg {row.pk} deleted", forced=ends)
    row.delete()


def _check(leg: Leg, bond: Bond, *, sent: Mapping[str, object]) -> None:
    faults = _faults_of_interface(leg, bond) if "interface" in sent else {}
    if "modem" in sent and leg.modem and _others(leg, bond).filter(modem=leg.modem).exists():
        faults["modem"] = [MODEM_TAKEN]
    if leg.type == LegType.STATIC and {"ip", "prefix", "gateway"} & sent.keys():
        faults |= _faults_of_addresses(leg)
    profile = leg.provider_profile
    if profile is not None and not is_profile_usable_in(profile=profile, space=bond.space):
        faults["provider_profile"] = [PROFILE_NOT_USABLE]
    if faults:
        raise InvalidFields(faults)


def _faults_of_interface(leg: Leg, bond: Bond) -> dict[str, list[str]]:
    if not is_interface(leg.interface or ""):
        return {"interface": [NOT_AN_INTERFACE]}
    if ConnectedIP.objects.filter(bond=bond, interface=leg.interface).exists():
        return {"interface": [CUSTOMER_SIDE]}
    if _others(leg, bond).filter(interface=leg.interface).exists():
        return {"interface": [INTERFACE_TAKEN]}
    return {}


def _others(leg: Leg, bond: Bond) -> QuerySet[Leg]:
    return Leg.objects.filter(bond=bond).exclude(pk=leg.pk)


def _faults_of_addresses(leg: Leg) -> dict[str, list[str]]:
    if leg.ip is None or leg.prefix is None or leg.gateway is None:
        raise ValueError("a static leg has ip, prefix and gateway")
    return faults_of_static(ip=leg.ip, prefix=leg.prefix, gateway=leg.gateway)


def _ends_service(row: Leg, after: Leg | None, *, now: datetime, force: bool) -> bool:
    stays = after is not None and after.link_mode == LinkMode.ACTIVE
    if stays and after is not None and (after.down_kbps or after.up_kbps):
        return False
    ends = would_end_service(leg=row, now=now)
    if ends and not force:
        raise LastWorkingLeg
    if ends:
        text = f"Leg {row.pk} was the last working leg of its bond and was taken away by force."
        raise_alert(code="last_working_leg", about=f"bond {row.bond_id}", text=text, now=now)
    return ends


def _settle(leg: Leg, bond: Bond, change: Change, *, forced: bool) -> None:
    if change.before.get("link_mode") == LinkMode.OFFLINE:
        _forget_states(leg)
    told = sorted(change.after.keys() - {"note"})
    if told:
        _tell(bond, f"leg {leg.pk} changed: {', '.join(told)}"[:200], forced=forced)


def _forget_states(leg: Leg) -> None:
    unknown: dict[str, Any] = {
        "bonder_state": "unknown",
        "bonder_reported": None,
        "aggregator_state": "unknown",
        "aggregator_reported": None,
    }
    LegReport.objects.filter(leg=leg).update(**unknown)


def _tell(bond: Bond, reason: str, *, forced: bool = False) -> None:
    ends = [bond.bonder_id, bond.current_aggregator_id]
    request_config_update(ends, reason=reason, bond_id=bond.pk, forced=forced)
