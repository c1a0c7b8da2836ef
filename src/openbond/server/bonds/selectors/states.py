"""The states of legs and the status of bonds, as expressions of the database.

The same arithmetic as measurement.rules.combined, so that lists can be filtered and ordered by it.
"""

from datetime import datetime, timedelta

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Least

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.system.selectors import current_settings
from openbond.wire.states import LinkMode, ShownState

# The first that either end has is the state of the leg (api-v3 03-legs 4); unknown comes last.
PRECEDENCE = [
    ShownState.DOWN,
    ShownState.REMOVED,
    ShownState.HANDSHAKING,
    ShownState.TESTING,
    ShownState.UNHEALTHY,
    ShownState.ADJUSTED,
    ShownState.FAILOVER,
    ShownState.IDLE,
    ShownState.UP,
    ShownState.OFFLINE,
    ShownState.UNKNOWN,
]
CARRYING_VALUES = sorted(state.value for state in CARRYING)


def with_states(legs: QuerySet[Leg], *, now: datetime, timeout_seconds: int) -> QuerySet[Leg]:
    """Add `shown_bonder_state`, `shown_aggregator_state` and `state` to legs.

    An end that was not heard for `timeout_seconds` counts as unknown.
    """
    since = now - timedelta(seconds=timeout_seconds)
    views = legs.annotate(
        shown_bonder_state=_view("bonder", since),
        shown_aggregator_state=_view("aggregator", since),
    )
    first = Least(_rank("shown_bonder_state"), _rank("shown_aggregator_state"))
    return views.annotate(state_rank=first).annotate(state=_named("state_rank"))


def leg_states(*, now: datetime) -> QuerySet[Leg]:
    """Return all legs with their states by the installation's timeout; for server rooms."""
    timeout = current_settings().node_status_timeout
    return with_states(Leg.objects.all(), now=now, timeout_seconds=timeout)


def with_status(bonds: QuerySet[Bond], *, now: datetime, timeout_seconds: int) -> QuerySet[Bond]:
    """Add `status` to bonds: up if a leg carries customer traffic, unknown if never connected."""
    legs = Leg.objects.filter(bond=OuterRef("pk"), link_mode=LinkMode.ACTIVE.value)
    carrying = with_states(legs, now=now, timeout_seconds=timeout_seconds).filter(
        Q(state__in=CARRYING_VALUES)
    )
    return bonds.annotate(
        status=Case(
            When(bonder__last_connected__isnull=True, then=Value("unknown")),
            When(Exists(carrying), then=Value("up")),
            default=Value("down"),
            output_field=CharField(),
        )
    )


def would_end_service(*, leg: Leg, now: datetime) -> bool:
    """Report whether `leg` is the bond's last working leg (behaviour 1.10)."""
    active = leg_states(now=now).filter(bond_id=leg.bond_id, link_mode=LinkMode.ACTIVE.value)
    working = active.filter(Q(state__in=CARRYING_VALUES))
    return set(working.values_list("pk", flat=True)) == {leg.pk}


def _view(end: str, since: datetime) -> Case:
    """Return the state that one end shows: offline by mode, unknown when it fell silent."""
    return Case(
        When(link_mode=LinkMode.OFFLINE.value, then=Value(ShownState.OFFLINE.value)),
        When(**{f"report__{end}_reported__gte": since}, then=F(f"report__{end}_state")),
        default=Value(ShownState.UNKNOWN.value),
        output_field=CharField(),
    )


def _rank(name: str) -> Case:
    return Case(
        *(When(**{name: state.value}, then=Value(rank)) for rank, state in enumerate(PRECEDENCE)),
        default=Value(len(PRECEDENCE)),
        output_field=IntegerField(),
    )


def _named(name: str) -> Case:
    return Case(
        *(When(**{name: rank}, then=Value(state.value)) for rank, state in enumerate(PRECEDENCE)),
        default=Value(ShownState.UNKNOWN.value),
        output_field=CharField(),
    )
