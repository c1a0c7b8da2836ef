"""The states of legs and the status of bonds, as expressions of the database.

The same arithmetic as rules.legs.shown_states, so that lists can be filtered and ordered by it.
"""

from datetime import datetime, timedelta

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.rules.legs import CARRYING, PRECEDENCE
from openbond.server.system.prepared import Given
from openbond.server.system.selectors import current_settings
from openbond.wire.states import LinkMode, ShownState

CARRYING_VALUES = sorted(state.value for state in CARRYING)


def state_of_leg(*, since: datetime) -> Case:
    """Return the expression of a leg's state; see rules.legs.shown_states for the arithmetic.

    Reports from before `since` are too old to count.
    """
    return Case(
        When(link_mode=LinkMode.OFFLINE.value, then=Value(ShownState.OFFLINE.value)),
        *(When(_either_says(state, since), then=Value(state.value)) for state in PRECEDENCE),
        default=Value(ShownState.UNKNOWN.value),
        output_field=CharField(),
    )


def state_of_end(end: str, *, since: datetime) -> Case:
    """Return the expression of what one end, `bonder` or `aggregator`, shows of a leg."""
    return Case(
        When(link_mode=LinkMode.OFFLINE.value, then=Value(ShownState.OFFLINE.value)),
        When(**{f"report__{end}_reported__gte": since}, then=F(f"report__{end}_state")),
        default=Value(ShownState.UNKNOWN.value),
        output_field=CharField(),
    )


def fresh_states(*, since: datetime | Given) -> dict[str, Case]:
    """Return the expressions of what each end freshly reported of a leg; null where too old."""
    return {
        f"fresh_{end}_state": Case(
            When(**{f"report__{end}_reported__gte": since}, then=F(f"report__{end}_state"))
        )
        for end in ("bonder", "aggregator")
    }


def with_states(legs: QuerySet[Leg], *, now: datetime, timeout_seconds: int) -> QuerySet[Leg]:
    """Add `shown_bonder_state`, `shown_aggregator_state` and `state` to legs.

    An end that was not heard for `timeout_seconds` counts as unknown.
    """
    since = now - timedelta(seconds=timeout_seconds)
    return legs.annotate(
        shown_bonder_state=state_of_end("bonder", since=since),
        shown_aggregator_state=state_of_end("aggregator", since=since),
        state=state_of_leg(since=since),
    )


def leg_states(*, now: datetime) -> QuerySet[Leg]:
    """Return all legs with their states by the installation's timeout; for server rooms."""
    timeout = current_settings().node_status_timeout
    return with_states(Leg.objects.all(), now=now, timeout_seconds=timeout)


def status_of_bond(*, since: datetime) -> Case:
    """Return the expression of a bond's status: up if a leg carries customer traffic, unknown if
    the bonder has never connected."""
    legs = Leg.objects.filter(bond=OuterRef("pk"), link_mode=LinkMode.ACTIVE.value)
    carrying = legs.alias(state=state_of_leg(since=since)).filter(state__in=CARRYING_VALUES)
    return Case(
        When(bonder__last_connected__isnull=True, then=Value("unknown")),
        When(Exists(carrying), then=Value("up")),
        default=Value("down"),
        output_field=CharField(),
    )


def with_status(bonds: QuerySet[Bond], *, now: datetime, timeout_seconds: int) -> QuerySet[Bond]:
    """Add `status` to bonds."""
    since = now - timedelta(seconds=timeout_seconds)
    return bonds.annotate(status=status_of_bond(since=since))


def would_end_service(*, leg: Leg, now: datetime) -> bool:
    """Report whether `leg` is the bond's last working leg (behaviour 1.10)."""
    active = leg_states(now=now).filter(bond_id=leg.bond_id, link_mode=LinkMode.ACTIVE.value)
    working = active.filter(Q(state__in=CARRYING_VALUES))
    return set(working.values_list("pk", flat=True)) == {leg.pk}


def _either_says(state: ShownState, since: datetime) -> Q:
    """Return the condition that one end, or both, freshly reported `state`."""
    return Q(report__bonder_reported__gte=since, report__bonder_state=state.value) | Q(
        report__aggregator_reported__gte=since, report__aggregator_state=state.value
    )
