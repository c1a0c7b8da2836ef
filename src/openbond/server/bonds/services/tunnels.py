"""Gives a new bond the lowest free /31 of the tunnel network."""

from ipaddress import IPv4Network

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from openbond.server.bonds.models import Bond
from openbond.server.bonds.rules.running import TUNNEL_ADDRESSES
from openbond.server.errors import Busy, NoTunnelSubnet
from openbond.server.system.constraints import broken_constraint
from openbond.server.system.selectors import current_settings

MAX_RACES = 100


def insert_with_tunnel(bond: Bond) -> None:
    """Save a new bond with a tunnel subnet that no other has.

    The unique constraint decides between writers that choose the same one; the loser chooses
    again, in the same transaction. Raises NoTunnelSubnet.
    """
    pool = IPv4Network(current_settings().tunnel_network)
    for _ in range(MAX_RACES):
        bond.tunnel_number = lowest_free(pool)
        try:
            with transaction.atomic():
                bond.save(force_insert=True)
        except IntegrityError as error:
            if broken_constraint(Bond, error) != "bond_tunnel_number_unique":
                raise
        else:
            return
    raise Busy


def lowest_free(pool: IPv4Network) -> int:
    """Return the lower address of the first free /31, as a number. Raises NoTunnelSubnet."""
    first, last = int(pool[0]), int(pool[-1])
    if not Bond.objects.filter(tunnel_number=first).exists():
        return first
    after = Bond.objects.filter(tunnel_number=OuterRef("tunnel_number") + TUNNEL_ADDRESSES)
    before_a_gap = Bond.objects.filter(
        ~Exists(after), tunnel_number__gte=first, tunnel_number__lte=last
    )
    number = before_a_gap.order_by("tunnel_number").values_list("tunnel_number", flat=True)[0]
    if number + TUNNEL_ADDRESSES > last:
        raise NoTunnelSubnet
    return number + TUNNEL_ADDRESSES
