"""Which bonds must leave their failed aggregator, and what runs on one (behaviour 6.2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from openbond.server.bonds.models import Bond, LegReport
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.system.models import Settings

# A bonder that said so within this time has its tunnel up.
SECOND_OPINION = timedelta(seconds=30)


def bonds_to_move(settings: Settings, *, now: datetime) -> QuerySet[Bond]:
    """Return the bonds on a failed aggregator whose other one is well, by id.

    From the secondary to the primary only where the setting `failover_to_primary` says so.
    """
    since = now - timedelta(seconds=settings.node_status_timeout)
    due = Q(current_aggregator=F("aggregator"), aggregator__failed=True) & _is_well(
        "secondary_aggregator", since
    )
    if settings.failover_to_primary:
        due |= Q(
            current_aggregator=F("secondary_aggregator"), secondary_aggregator__failed=True
        ) & _is_well("aggregator", since)
    return Bond.objects.filter(due).select_related("bonder").order_by("id")


def with_tunnel_elsewhere(bonds: QuerySet[Bond], *, now: datetime) -> QuerySet[Bond]:
    """Leave out bonds on aggregators that a bonder lately reported a working leg to."""
    said = LegReport.objects.filter(
        leg__bond__current_aggregator=OuterRef("current_aggregator"),
        bonder_state__in=[state.value for state in CARRYING],
        bonder_reported__gte=now - SECOND_OPINION,
    )
    return bonds.exclude(Exists(said))


def _is_well(path: str, since: datetime) -> Q:
    """An aggregator that nobody checks is well unless it is known to be silent."""
    heard = f"{path}__last_connected"
    silent_but_unwatched = Q(**{f"{path}__failover_monitoring": False, f"{heard}__lt": since})
    return Q(**{f"{path}__failed": False}) & ~silent_but_unwatched


@dataclass(frozen=True, slots=True)
class Load:
    """Bonds that run on an aggregator: on it as their primary without and with a secondary, and
    as their secondary. `away`: those that have it as primary and run elsewhere.
    """

    alone: int
    with_secondary: int
    as_secondary: int
    away: int


def load_of(aggregator_id: int) -> Load:
    """Count the bonds of an aggregator."""
    is_primary, runs = Q(aggregator=aggregator_id), Q(current_aggregator=aggregator_id)
    alone = Q(secondary_aggregator__isnull=True)
    counts = Bond.objects.filter(is_primary | runs).aggregate(
        alone=Count("pk", filter=is_primary & runs & alone),
        with_secondary=Count("pk", filter=is_primary & runs & ~alone),
        as_secondary=Count("pk", filter=runs & ~is_primary),
        away=Count("pk", filter=is_primary & ~runs),
    )
    return Load(**counts)
