"""One look at every leg and bond that has, or may get, an alarm (behaviour 3.10)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.bonds.selectors import leg_states
from openbond.server.measurement.models import Alarm, LegChange, SpeedTest, TestStatus
from openbond.server.measurement.rules import Source
from openbond.server.measurement.rules.alarms import (
    MTU_LEAST,
    AlarmKind,
    Finding,
    of_flaps,
    of_mtu,
    of_speeds,
)
from openbond.server.spaces.models import SpaceClosure
from openbond.server.system.models import MaintenanceWindow
from openbond.wire.states import LinkMode, ShownState

DEAD = frozenset({ShownState.DOWN.value, ShownState.REMOVED.value})
CARRYING_VALUES = frozenset(state.value for state in CARRYING)
ACTIVE = LinkMode.ACTIVE.value
LONGEST_WINDOW = timedelta(hours=1)  # of `flap_window`; longer than the calm that ends flapping


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of one thing. `is_excused`: a speed test, a tuning or people have it in hand,
    so that no alarm opens.
    """

    kind: AlarmKind
    bond: Bond
    leg: Leg | None
    finding: Finding
    is_excused: bool


def unclosed_alarms() -> list[Alarm]:
    return list(Alarm.objects.filter(closed__isnull=True))


def look_at_all(watched: Iterable[Alarm], *, now: datetime) -> Iterator[Look]:
    """Yield a look for everything in trouble, and for all that `watched` is about.

    Bonds come before their legs.
    """
    suspects = _suspects(watched, now)
    bonds = {bond.pk: bond for bond in _bonds(suspects, now)}
    legs: dict[int, list[Leg]] = defaultdict(list)
    for leg in leg_states(now=now).filter(bond__in=bonds).select_related("report"):
        legs[leg.bond_id].append(leg)
    downs = _downs(bonds, now)
    for bond_id, bond in bonds.items():
        yield _look_at_bond(bond, legs[bond_id])
        for leg in legs[bond_id]:
            yield from _look_at_leg(bond, leg, legs[bond_id], downs[leg.pk], now)


def _suspects(watched: Iterable[Alarm], now: datetime) -> set[int]:
    """Return the ids of the bonds that are worth a look: very few in a healthy fleet."""
    legs = leg_states(now=now).filter(link_mode=ACTIVE)
    troubled = legs.filter(
        Q(state__in=DEAD)
        | Q(failover=True, state__in=CARRYING_VALUES)
        | Q(report__down_mtu__lt=MTU_LEAST)
        | Q(report__up_mtu__lt=MTU_LEAST)
        | Q(report__adapted_down_kbps__lt=F("down_kbps") * 0.5)
        | Q(report__adapted_up_kbps__lt=F("up_kbps") * 0.5)
    )
    flapped = LegChange.objects.filter(
        state=ShownState.DOWN.value,
        start__gt=now - LONGEST_WINDOW,
        source__in=[Source.BONDER.value, Source.AGGREGATOR.value],
    )
    return {
        *troubled.order_by().values_list("bond_id", flat=True),
        *flapped.order_by().values_list("leg__bond_id", flat=True).distinct(),
        *(alarm.bond_id for alarm in watched),
    }


def _bonds(ids: set[int], now: datetime) -> Iterable[Bond]:
    testing = SpeedTest.objects.filter(bond=OuterRef("pk"), status=TestStatus.RUNNING)
    above = SpaceClosure.objects.filter(descendant=OuterRef(OuterRef("space")))
    worked_at = MaintenanceWindow.objects.filter(begins__lte=now, ends__gt=now).filter(
        Q(bond_id=OuterRef("pk")) | Q(space__in=above.values("ancestor"))
    )
    rows = Bond.objects.filter(pk__in=ids).select_related("bonder").order_by("id")
    return rows.annotate(is_testing=Exists(testing), is_worked_at=Exists(worked_at))


def _downs(bond_ids: Iterable[int], now: datetime) -> dict[int, list[datetime]]:
    """Return when legs went down lately, by leg; of two ends that saw it the one that saw more."""
    rows = LegChange.objects.filter(
        leg__bond__in=list(bond_ids), state=ShownState.DOWN.value, start__gt=now - LONGEST_WINDOW
    )
    by_end: dict[tuple[int, str], list[datetime]] = defaultdict(list)
    for leg_id, source, start in rows.values_list("leg_id", "source", "start"):
        by_end[leg_id, source].append(start)
    found: dict[int, list[datetime]] = defaultdict(list)
    for (leg_id, _), times in by_end.items():
        found[leg_id] = max(found[leg_id], times, key=len)
    return found


def _look_at_bond(bond: Bond, legs: Iterable[Leg]) -> Look:
    return Look(AlarmKind.BOND_DOWN, bond, None, _of_bond(legs), _is_excused(bond))


def _look_at_leg(
    bond: Bond, leg: Leg, legs: Iterable[Leg], downs: list[datetime], now: datetime
) -> Iterator[Look]:
    is_excused = _is_excused(bond)
    findings = {
        AlarmKind.LEG_DOWN: _of_state(leg),
        AlarmKind.LEG_FLAPPING: of_flaps(
            downs,
            threshold=bond.flap_threshold,
            window=timedelta(seconds=bond.flap_window),
            now=now,
        ),
        AlarmKind.FAILOVER_IN_USE: _of_failover(leg, legs),
        AlarmKind.MTU_LOW: of_mtu((leg.report.down_mtu, leg.report.up_mtu)),
        AlarmKind.SPEED_ADJUSTED: of_speeds(
            (leg.down_kbps, leg.up_kbps),
            (leg.report.adapted_down_kbps, leg.report.adapted_up_kbps),
        ),
    }
    for kind, finding in findings.items():
        # Whoever takes a leg out of use knows that it is out of use.
        seen = finding if leg.link_mode == ACTIVE else Finding.FIT
        yield Look(kind, bond, leg, seen, is_excused)


def _of_state(leg: Leg) -> Finding:
    state = _state(leg)
    if state in DEAD:
        return Finding.BAD
    return Finding.FIT if state in CARRYING_VALUES else Finding.NEITHER


def _of_failover(leg: Leg, legs: Iterable[Leg]) -> Finding:
    """A failover leg carries data while no other leg can (behaviour 2.6)."""
    if not leg.failover or _state(leg) not in CARRYING_VALUES:
        return Finding.FIT
    others = (other for other in legs if not other.failover and other.link_mode == ACTIVE)
    return Finding.FIT if any(_state(one) in CARRYING_VALUES for one in others) else Finding.BAD


def _of_bond(legs: Iterable[Leg]) -> Finding:
    active = [leg for leg in legs if leg.link_mode == ACTIVE]
    if any(_state(leg) in CARRYING_VALUES for leg in active):
        return Finding.FIT
    for end in ("shown_bonder_state", "shown_aggregator_state"):
        said = {getattr(leg, end) for leg in active} - {ShownState.UNKNOWN.value}
        if said and not said & CARRYING_VALUES:
            return Finding.BAD
    return Finding.NEITHER


def _is_excused(bond: Bond) -> bool:
    found = (getattr(bond, name, False) for name in ("is_testing", "is_worked_at"))
    return bond.tuning_in_progress or any(found)


def _state(leg: Leg) -> str:
    state: str = getattr(leg, "state", ShownState.UNKNOWN.value)
    return state
