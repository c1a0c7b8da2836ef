"""Writes to tunings: queue, cancel, and the decision on what they recommend (api-v3 05 2.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.services import update_bond, update_leg
from openbond.server.errors import (
    AlreadyDecided,
    AlreadyFinished,
    LegNotActive,
    NoActiveLegs,
    NoRecommendations,
    NotFinished,
    NotSuccessful,
    Outdated,
    Refused,
    TuningInProgress,
)
from openbond.server.measurement.models import (
    SpeedTest,
    TestStatus,
    Tuning,
    TuningDecision,
    TuningStatus,
)
from openbond.server.system.actors import SERVER, Actor
from openbond.server.system.changes import Change
from openbond.server.system.locks import locked
from openbond.server.system.services import record
from openbond.wire.states import LinkMode

UNFINISHED = (TuningStatus.QUEUED, TuningStatus.RUNNING)
WAITING_TESTS = (TestStatus.QUEUED, TestStatus.RUNNING)
BOND_SETTINGS = ("packet_distribution", "reorder_max_hold", "tcp_proxy")

log = structlog.get_logger(__name__)


@transaction.atomic
def create_tuning(
    *, by: Actor, bond: Bond, leg: Leg | None = None, automatic: bool = False
) -> Tuning:
    """Queue a tuning of a leg, or of the bond; the bond is locked until it ends.

    Raises TuningInProgress, LegNotActive, NoActiveLegs.
    """
    now = timezone.now()
    row = locked(Bond.objects.all(), bond.pk)
    if row.tuning_in_progress:
        raise TuningInProgress
    of_leg = locked(Leg.objects.all(), leg.pk) if leg else None
    _check_legs(row, of_leg)
    tuning = Tuning(
        bond=row,
        leg=of_leg,
        automatic=automatic,
        aggregator_id=row.current_aggregator_id,
        submitted=now,
        created=now,
        modified=now,
    )
    try:
        with transaction.atomic():
            tuning.save(force_insert=True)
    except IntegrityError:
        raise TuningInProgress from None
    Bond.objects.filter(pk=row.pk).update(tuning_in_progress=True)
    _record(by, "create", tuning, now)
    return tuning


@transaction.atomic
def cancel_tuning(*, by: Actor, tuning: Tuning) -> Tuning:
    """Stop a tuning, and the tests it still has to run. Raises AlreadyFinished."""
    now = timezone.now()
    row = lock_tuning(tuning)
    if row.status not in UNFINISHED:
        raise AlreadyFinished
    SpeedTest.objects.filter(tuning=row, status__in=WAITING_TESTS).update(
        status=TestStatus.CANCELLED, finished=now, error="The tuning was cancelled."
    )
    row.status, row.finished = TuningStatus.CANCELLED, now
    row.save(update_fields=["status", "finished"])
    Bond.objects.filter(pk=row.bond_id).update(tuning_in_progress=False)
    _record(by, "cancel", row, now)
    return row


@transaction.atomic
def accept_tuning(*, by: Actor, tuning: Tuning) -> Tuning:
    """Apply what a tuning recommends to legs and bond, in one step.

    Raises NotFinished, NotSuccessful, NoRecommendations, AlreadyDecided, TuningInProgress,
    Outdated.
    """
    now = timezone.now()
    row = lock_tuning(tuning)
    recommended = _undecided(row)
    if row.bond.tuning_in_progress:
        raise TuningInProgress
    for leg_id, speeds in _speeds(row, recommended).items():
        leg = Leg.objects.filter(pk=leg_id, bond=row.bond_id).first()
        if leg is None:
            raise Outdated
        update_leg(by=by, leg=leg, down_kbps=speeds.down_kbps, up_kbps=speeds.up_kbps)
    settings = {name: recommended[name] for name in BOND_SETTINGS if name in recommended}
    if settings:
        update_bond(by=by, bond=row.bond, **settings)
    return _decide(by, row, TuningDecision.ACCEPTED, now)


@transaction.atomic
def decline_tuning(*, by: Actor, tuning: Tuning) -> Tuning:
    """Leave everything as it is.

    Raises NotFinished, NotSuccessful, NoRecommendations, AlreadyDecided.
    """
    now = timezone.now()
    row = lock_tuning(tuning)
    _undecided(row)
    return _decide(by, row, TuningDecision.DECLINED, now)


def lock_tuning(tuning: Tuning) -> Tuning:
    """Return the row as it is now, for this transaction alone to write. Raises Vanished."""
    # The bond first: whoever writes a bond and its tuning takes them in this order.
    locked(Bond.objects.all(), tuning.bond_id)
    return locked(Tuning.objects.select_related("bond", "leg"), tuning.pk)


@transaction.atomic
def tune_on_first_contact(*, node_ids: Iterable[int]) -> None:
    """Tune the bonds that want it of bonders that were never heard before (api-v3 02-bonds 10)."""
    for bond in Bond.objects.filter(bonder__in=list(node_ids), automatic_tuning=True):
        try:
            with transaction.atomic():
                create_tuning(by=SERVER, bond=bond, automatic=True)
        except Refused as refusal:
            log.warning("automatic tuning is not begun", bond=bond.pk, error=str(refusal))


def _check_legs(bond: Bond, leg: Leg | None) -> None:
    if leg is not None and leg.link_mode != LinkMode.ACTIVE:
        raise LegNotActive
    if leg is None and not bond.legs.filter(link_mode=LinkMode.ACTIVE.value).exists():
        raise NoActiveLegs


def _undecided(row: Tuning) -> dict[str, Any]:
    """Return the recommendations of a tuning on which nobody has decided."""
    if row.status in UNFINISHED:
        raise NotFinished
    if row.status != TuningStatus.SUCCEEDED:
        raise NotSuccessful
    if row.recommendations is None:
        raise NoRecommendations
    if row.decision != TuningDecision.PENDING:
        raise AlreadyDecided(f"The recommendations have already been {row.decision}.")
    recommended: dict[str, Any] = row.recommendations
    return recommended


@dataclass(frozen=True, slots=True)
class _Speeds:
    down_kbps: int
    up_kbps: int


def _speeds(row: Tuning, recommended: dict[str, Any]) -> dict[int, _Speeds]:
    """Return the recommended speeds by the id of the leg."""
    parts = recommended.get("legs", [{"id": row.leg_id, **recommended}])
    return {part["id"]: _Speeds(part["down_kbps"], part["up_kbps"]) for part in parts}


def _decide(by: Actor, row: Tuning, decision: TuningDecision, now: datetime) -> Tuning:
    row.decision, row.decided = decision, now
    row.save(update_fields=["decision", "decided"])
    _record(by, decision.value, row, now)
    return row


def _record(by: Actor, action: str, row: Tuning, now: datetime) -> None:
    record(by=by, action=action, row=row, change=Change(), now=now, space_id=row.bond.space_id)
