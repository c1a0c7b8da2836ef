"""Actions: counters that nodes act upon once, and moves between aggregators.

An action that is asked for while the same one still waits is merged with it (api-v3 02-bonds 4).
"""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg
from openbond.server.errors import LegOffline, NoActiveLegs, PrimaryFailed
from openbond.server.fleet.models import Aggregator, ConfigUpdate, UpdateStatus
from openbond.server.fleet.services import Move, request_config_update, request_moves
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row
from openbond.server.system.services import record
from openbond.wire.states import LegType, LinkMode

from .ports import settle_ports
from .private_wans import tell_of_moves
from .rows import lock_bond, refuse_while_tuning


@transaction.atomic
def restart_bond(*, by: Actor, bond: Bond) -> None:
    """Have both ends take the bond down and set it up again. Raises TuningInProgress."""
    row = lock_bond(bond.pk)
    refuse_while_tuning(row)
    if not _is_waiting(row, "bond restart"):
        Bond.objects.filter(pk=row.pk).update(restart_count=F("restart_count") + 1)
        _tell(row, "bond restart")
    _record(by, "restart", row)


@transaction.atomic
def detect_leg_mtus(*, by: Actor, bond: Bond) -> list[int]:
    """Have the path MTU of all active legs measured; return their ids.

    Raises NoActiveLegs, TuningInProgress.
    """
    row = lock_bond(bond.pk)
    active = row.legs.filter(link_mode=LinkMode.ACTIVE.value).order_by("id")
    legs = list(active)
    if not legs:
        raise NoActiveLegs
    refuse_while_tuning(row)
    for leg in legs:
        _detect(leg, row)
    _record(by, "detect_leg_mtus", row)
    return [leg.pk for leg in legs]


@transaction.atomic
def detect_mtus(*, by: Actor, leg: Leg) -> None:
    """Have the path MTU of a leg measured. Raises LegOffline, TuningInProgress."""
    row, bond = _lock_online(leg)
    _detect(row, bond)
    _record(by, "detect_mtus", bond, leg=row)


@transaction.atomic
def renew_lease(*, by: Actor, leg: Leg) -> None:
    """Have the DHCP client of a leg ask anew. Raises LegOffline, TuningInProgress."""
    if leg.type != LegType.DHCP:
        raise ValueError(f"leg {leg.pk} is of type {leg.type}, only dhcp legs have leases")
    row, bond = _lock_online(leg)
    reason = f"DHCP renewal of leg {row.pk}"
    if not _is_waiting(bond, reason):
        Leg.objects.filter(pk=row.pk).update(renew_count=F("renew_count") + 1)
        request_config_update([bond.bonder_id], reason=reason, bond_id=bond.pk)
    _record(by, "renew", bond, leg=row)


@transaction.atomic
def restore_to_primary(*, by: Actor, bond: Bond) -> Bond:
    """Move a bond back to its primary; one that is there already stays as it is.

    Raises PrimaryFailed, TuningInProgress.
    """
    row = lock_bond(bond.pk)
    refuse_while_tuning(row)
    if row.aggregator.failed:
        raise PrimaryFailed
    return move_bond(
        by=by, bond=row, to=row.aggregator, reason="restored to the primary aggregator"
    )


@transaction.atomic
def move_bond(*, by: Actor, bond: Bond, to: Aggregator, reason: str) -> Bond:
    """Move a bond to its primary or secondary, as planned; already there: nothing happens.

    Aggregator failover moves many at once, and nobody waits (failover.py).
    """
    now = timezone.now()
    row = lock_bond(bond.pk)
    was_on = row.current_aggregator_id
    change = change_row(row, {"current_aggregator": to}, now=row.modified)
    if change:
        settle_ports(bond=row)
        move = Move(bond_id=row.pk, bonder_id=row.bonder_id, old=was_on, new=to.pk)
        request_moves([move], reason=reason, is_planned=True)
        tell_of_moves([row.space_id], [move], reason=reason)
        record(by=by, action="move", row=row, change=change, now=now, space_id=row.space_id)
    return row


def _lock_online(leg: Leg) -> tuple[Leg, Bond]:
    bond = lock_bond(leg.bond_id)
    row = Leg.objects.get(pk=leg.pk)
    if row.link_mode == LinkMode.OFFLINE:
        raise LegOffline
    refuse_while_tuning(bond)
    return row, bond


def _detect(leg: Leg, bond: Bond) -> None:
    reason = f"MTU detection of leg {leg.pk}"
    if not _is_waiting(bond, reason):
        Leg.objects.filter(pk=leg.pk).update(detect_mtu_count=F("detect_mtu_count") + 1)
        _tell(bond, reason)


def _is_waiting(bond: Bond, reason: str) -> bool:
    waiting = ConfigUpdate.objects.filter(bond_id=bond.pk, reason=reason)
    return waiting.filter(status=UpdateStatus.PENDING).exists()


def _tell(bond: Bond, reason: str) -> None:
    ends = [bond.bonder_id, bond.current_aggregator_id]
    request_config_update(ends, reason=reason, bond_id=bond.pk)


def _record(by: Actor, action: str, bond: Bond, *, leg: Leg | None = None) -> None:
    record(
        by=by,
        action=action,
        row=leg or bond,
        change=Change(),
        now=timezone.now(),
        space_id=bond.space_id,
    )
