"""Writes to CPE NAT IPs (api-v3 04-routing 3)."""

from copy import copy
from typing import TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond, CpeNatIP
from openbond.server.bonds.rules.routing import faults_of_cpe_nat_ip
from openbond.server.errors import InvalidFields
from openbond.server.system.actors import Actor
from openbond.server.system.locks import Lock, locked, take

from .routing import connected_of, delete_object, insert_object, write_object
from .rows import lock_bond


class CpeNatIPOptions(TypedDict, total=False):
    enabled: bool
    note: str


class CpeNatIPChanges(CpeNatIPOptions, total=False):
    ip: str
    dest_nat_ip: str


@transaction.atomic
def create_cpe_nat_ip(
    *, by: Actor, bond: Bond, ip: str, dest_nat_ip: str, **options: Unpack[CpeNatIPOptions]
) -> CpeNatIP:
    """Make a CPE NAT IP. Raises InvalidFields."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(bond.pk)
    row = CpeNatIP(bond=owner, ip=ip, dest_nat_ip=dest_nat_ip, created=now, modified=now, **options)
    _check(row, owner, changed={"ip", "dest_nat_ip"})
    insert_object(by=by, row=row, bond=owner, now=now)
    return row


@transaction.atomic
def update_cpe_nat_ip(
    *, by: Actor, cpe_nat_ip: CpeNatIP, **changes: Unpack[CpeNatIPChanges]
) -> CpeNatIP:
    """Change a CPE NAT IP; disabling never fails. Raises InvalidFields."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(cpe_nat_ip.bond_id)
    row = locked(CpeNatIP.objects.all(), cpe_nat_ip.pk)
    after = copy(row)
    for name, value in changes.items():
        setattr(after, name, value)
    addresses = {"ip", "dest_nat_ip"}
    _check(after, owner, changed={n for n in addresses if getattr(row, n) != getattr(after, n)})
    write_object(by=by, row=row, after=after, values=dict(changes), bond=owner, now=now)
    return row


@transaction.atomic
def delete_cpe_nat_ip(*, by: Actor, cpe_nat_ip: CpeNatIP) -> None:
    """Delete a CPE NAT IP, enabled or not."""
    now = timezone.now()
    owner = lock_bond(cpe_nat_ip.bond_id)
    row = locked(CpeNatIP.objects.all(), cpe_nat_ip.pk)
    delete_object(by=by, row=row, bond=owner, now=now)


def _check(row: CpeNatIP, bond: Bond, *, changed: set[str]) -> None:
    if not changed:
        return
    faults = faults_of_cpe_nat_ip(
        ip=row.ip, dest_nat_ip=row.dest_nat_ip, connected_ips=connected_of(bond)
    )
    asked = {field: messages for field, messages in faults.items() if field in changed}
    if asked:
        raise InvalidFields(asked)
