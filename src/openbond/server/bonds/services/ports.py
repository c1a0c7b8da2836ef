"""The UDP ports of legs at their aggregators (api-v3 03-legs 1, tunnel_port)."""

from django.db.models import Q, QuerySet

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.rules.legs import default_port, lowest_free_port
from openbond.server.errors import Busy
from openbond.server.system.locks import Lock, take


def give_port(*, leg: Leg, bond: Bond) -> None:
    """Give a new leg 2000 + id or, beyond the last port, the lowest free at its aggregators."""
    leg.tunnel_port = default_port(leg.pk) or _find(bond)
    leg.save(update_fields=["tunnel_port"])


def settle_ports(*, bond: Bond) -> None:
    """After a change of aggregators, give another port to whichever leg found its own taken.

    Ports of 2000 + id stay; only those that were found for higher ids move.
    """
    taken = _ports_beside(bond)
    own = list(bond.legs.order_by("id"))
    for leg in own:
        if leg.tunnel_port in taken and default_port(leg.pk) is None:
            leg.tunnel_port = _find(bond)
            leg.save(update_fields=["tunnel_port"])
    _move_others({leg.tunnel_port for leg in own}, bond)


def _move_others(ports: set[int | None], bond: Bond) -> None:
    clashing = _beside(bond).filter(tunnel_port__in=ports).select_related("bond")
    for leg in clashing:
        if default_port(leg.pk) is None:
            leg.tunnel_port = _find(leg.bond)
            leg.save(update_fields=["tunnel_port"])


def _find(bond: Bond) -> int:
    take(Lock.PORTS)
    taken = _ports_beside(bond) | set(bond.legs.values_list("tunnel_port", flat=True))
    try:
        return lowest_free_port({port for port in taken if port is not None})
    except StopIteration:
        raise Busy("Every UDP port of the aggregator is taken by a leg.") from None


def _beside(bond: Bond) -> QuerySet[Leg]:
    ends = [end for end in (bond.aggregator_id, bond.secondary_aggregator_id) if end]
    same = Q(bond__aggregator__in=ends) | Q(bond__secondary_aggregator__in=ends)
    return Leg.objects.filter(same).exclude(bond=bond)


def _ports_beside(bond: Bond) -> set[int | None]:
    return set(_beside(bond).values_list("tunnel_port", flat=True))
