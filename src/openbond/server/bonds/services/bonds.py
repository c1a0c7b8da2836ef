"""Writes to bonds (api-v3 02-bonds)."""

import base64
import secrets
from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond, BondReport
from openbond.server.bonds.rules.running import (
    aggregator_after_change,
    faults_of_bond,
    first_aggregator,
)
from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import Aggregator, Bonder
from openbond.server.fleet.rules import default_name
from openbond.server.fleet.services import (
    Move,
    bury,
    insert_node,
    node_defaults,
    request_config_update,
    request_moves,
    write_node,
)
from openbond.server.ipam.services import forget_bond
from openbond.server.qos.models import QosProfile
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.locks import Lock, locked, take
from openbond.server.system.services import record
from openbond.wire.states import NodeKind

from .addressing import check_enabled_uses
from .moves import prepare_move
from .ports import settle_ports
from .private_wans import tell_of_moves, tell_private_wans
from .rows import lock_bond, refuse_while_tuning
from .tunnels import insert_with_tunnel
from .usable import faults_of_relations

SECRET_BYTES = 32
NAME_NUMBERS = 36**8
# Fields for people alone, and switches of the server's own: no node learns them.
UNTOLD = frozenset(
    {
        "note",
        "circuit_id",
        "product",
        "proof_of_concept",
        "automatic_tuning",
        "auto_accept",
        # A config names only the aggregator that the bond runs on.
        "aggregator",
        "secondary_aggregator",
    }
)
REASON_LENGTH = 200
RELATIONS = frozenset({"aggregator", "secondary_aggregator", "qos_profile", "space"})
READDRESSING = frozenset({"aggregator", "secondary_aggregator", "space"})


class BondOptions(TypedDict, total=False):
    """Columns of a bond. `…_permille` are tenths of a percent; ping and hold in ms, else s."""

    secondary_aggregator: Aggregator | None
    qos_profile: QosProfile | None
    note: str
    circuit_id: str
    product: str
    proof_of_concept: bool
    compression: bool
    clamp_tcp: bool
    packet_distribution: str
    reorder_max_hold: int
    flow_collision_detection: bool
    tunnel_security: str
    encryption_cipher: str
    encryption_handshake_interval: int
    automatic_ping_timing: bool
    ping_interval: int
    ping_timeout: int
    tcp_proxy: bool
    tcp_proxy_ports: str
    bandwidth_adaptation: bool
    packet_loss_detection: bool
    packet_loss_threshold_permille: int
    flap_detection: bool
    flap_threshold: int
    flap_window: int
    automatic_tuning: bool
    auto_accept: bool


class BondChanges(BondOptions, total=False):
    name: str
    aggregator: Aggregator
    space: Space


@transaction.atomic
def create_bond(
    *,
    by: Actor,
    aggregator: Aggregator,
    space: Space,
    name: str = "",
    **options: Unpack[BondOptions],
) -> Bond:
    """Make a bond with its bonder and tunnel subnet; without a name it gets a random one.

    Raises InvalidFields, NoTunnelSubnet.
    """
    now = timezone.now()
    bond = Bond(space=space, aggregator=aggregator, created=now, modified=now, **options)
    sent = {**options, "aggregator": aggregator, "space": space}
    _check(bond, sent)
    secondary = bond.secondary_aggregator
    bond.current_aggregator_id = first_aggregator(
        primary=aggregator.pk,
        primary_failed=aggregator.failed,
        secondary=secondary.pk if secondary and not secondary.failed else None,
    )
    bond.bonder = _create_bonder(name, space, now)
    bond.secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    insert_with_tunnel(bond)
    BondReport.objects.create(bond=bond)
    ends = [bond.bonder_id, bond.current_aggregator_id]
    request_config_update(ends, reason="bond created", bond_id=bond.pk)
    tell_private_wans([space.pk], reason="bond created", told=ends, bond_id=bond.pk)
    shown = Change(after={"name": bond.name} | shown_values(bond, sent))
    record(by=by, action="create", row=bond, change=shown, now=now, space_id=space.pk)
    return bond


@transaction.atomic
def update_bond(*, by: Actor, bond: Bond, **changes: Unpack[BondChanges]) -> Bond:
    """Change a bond; a name goes to its bonder, a space takes the bonder along.

    Raises InvalidFields, TuningInProgress.
    """
    now = timezone.now()
    if READDRESSING.intersection(changes):
        take(Lock.ADDRESSES)
    row = lock_bond(bond.pk)
    was_on, spaces = row.current_aggregator_id, {row.space_id}
    sent, renamed = dict[str, Any](changes), changes.get("name")
    sent.pop("name", None)
    after = _after(row, sent)
    _check(after, sent)
    refuse_while_tuning(row)
    moved = after.space_id != row.space_id
    if moved:
        prepare_move(bond=row, space=after.space, by=by, now=now)
    check_enabled_uses(before=row, after=after)
    change = _write_bonder(row, name=renamed, space=after.space, now=now)
    change += change_row(row, sent | {"current_aggregator": after.current_aggregator}, now=now)
    spaces.add(row.space_id)
    if change:
        _settle(row, change, spaces=spaces, was_on=was_on, now=now)
        record(by=by, action="update", row=row, change=change, now=now, space_id=row.space_id)
    return row


@transaction.atomic
def delete_bond(*, by: Actor, bond: Bond) -> None:
    """Delete a bond with its bonder, legs and routing objects. Raises TuningInProgress."""
    now = timezone.now()
    row = lock_bond(bond.pk)
    refuse_while_tuning(row)
    bonder, reason = row.bonder, "bond deleted"
    shown = ["space", "bonder", "aggregator", "secondary_aggregator", "circuit_id"]
    change = Change(before={"name": row.name} | shown_values(row, shown))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=row.space_id)
    request_config_update([row.current_aggregator_id], reason=reason, bond_id=row.pk)
    forget_bond(bond_id=row.pk)
    row.delete()
    told = [row.current_aggregator_id]
    tell_private_wans([row.space_id], reason=reason, told=told)
    bury(node=bonder, now=now)


def _create_bonder(name: str, space: Space, now: datetime) -> Bonder:
    chosen = name or default_name(secrets.randbelow(NAME_NUMBERS))
    bonder = Bonder(kind=NodeKind.BONDER.value, created=now, modified=now)
    insert_node(bonder, node_defaults({"name": chosen, "space": space}))
    return bonder


def _check(bond: Bond, sent: Mapping[str, object]) -> None:
    faults = faults_of_bond(
        {"tcp_proxy": bond.tcp_proxy, "tcp_proxy_ports": bond.tcp_proxy_ports},
        sent=sent,
        aggregator=bond.aggregator_id,
        secondary=bond.secondary_aggregator_id,
        ping_interval=bond.ping_interval,
        ping_timeout=bond.ping_timeout,
    )
    if RELATIONS.intersection(sent):
        faults |= faults_of_relations(bond, sent=sent)
    if faults:
        raise InvalidFields(faults)


def _after(row: Bond, sent: Mapping[str, Any]) -> Bond:
    """Return the bond as it will be, with the aggregator that it then runs on; nothing is saved."""
    after = copy(row)
    for name, value in sent.items():
        setattr(after, name, value)
    after.current_aggregator_id = aggregator_after_change(
        current=row.current_aggregator_id,
        old_primary=row.aggregator_id,
        old_secondary=row.secondary_aggregator_id,
        primary=after.aggregator_id,
        secondary=after.secondary_aggregator_id,
        primary_failed=after.aggregator.failed,
    )
    return after


def _write_bonder(bond: Bond, *, name: str | None, space: Space, now: datetime) -> Change:
    sent: dict[str, object] = {"space": space} if space.pk != bond.space_id else {}
    if name is not None:
        sent["name"] = name
    if not sent:
        return Change()
    bonder = locked(Bonder.objects.all(), bond.bonder_id)
    try:
        change = write_node(node=bonder, changes=sent, now=now)
    except InvalidFields as fault:
        field = "name" if name is not None else "space"
        raise InvalidFields({field: fault.fields["name"]}) from None
    bond.bonder = bonder
    return change


def _settle(row: Bond, change: Change, *, spaces: set[int], was_on: int, now: datetime) -> None:
    """Do what follows from a change: time, ports, and the nodes that must learn it."""
    if row.modified != now:
        Bond.objects.filter(pk=row.pk).update(modified=now)
        row.modified = now
    if change.touches(READDRESSING):
        settle_ports(bond=row)
    told = sorted(change.after.keys() - UNTOLD)
    if not told:
        return
    reason = f"bond changed: {', '.join(told)}"[:REASON_LENGTH]
    if row.current_aggregator_id != was_on:
        move = Move(
            bond_id=row.pk, bonder_id=row.bonder_id, old=was_on, new=row.current_aggregator_id
        )
        request_moves([move], reason=reason, is_planned=True)
        tell_of_moves(spaces, [move], reason=reason)
        return
    nodes = [row.bonder_id] if told == ["name"] else [row.bonder_id, was_on]
    request_config_update(nodes, reason=reason, bond_id=row.pk)
    if change.touches({"space"}):
        tell_private_wans(spaces, reason=reason, told=nodes)
