"""How tunings start and end by themselves: what they recommend, or why they failed."""

from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from openbond.server.bonds.models import Bond
from openbond.server.errors import DomainError
from openbond.server.measurement.models import (
    SpeedTest,
    TestStatus,
    Tuning,
    TuningDecision,
    TuningStatus,
)
from openbond.server.measurement.rules.bond_tuner import BondSettings
from openbond.server.measurement.rules.tuning import LegSpeeds, TuningFailed
from openbond.server.system.actors import SERVER
from openbond.server.system.changes import Change
from openbond.server.system.services import record

from .tunings import WAITING_TESTS, accept_tuning

log = structlog.get_logger(__name__)


def start_tuning(row: Tuning, *, now: datetime) -> None:
    """Note that a test of a tuning was ordered: it no longer waits."""
    row.waiting_since = None
    if row.started is None:
        row.status, row.started = TuningStatus.RUNNING, now
    row.save(update_fields=["waiting_since", "status", "started"])


def fail_tuning(row: Tuning, failure: TuningFailed, *, now: datetime) -> None:
    """End a tuning that recommends nothing, and the test it runs; no setting changes."""
    left = SpeedTest.objects.filter(tuning=row, status__in=WAITING_TESTS)
    left.update(status=TestStatus.CANCELLED, finished=now, error=f"The tuning failed: {failure}")
    row.error = str(failure)
    _end(row, TuningStatus.FAILED, now=now)
    log.info("tuning failed", tuning=row.pk, bond=row.bond_id, error=row.error)


def succeed_tuning(row: Tuning, found: LegSpeeds | BondSettings, *, now: datetime) -> None:
    """End a tuning with what it recommends; an automatic one may accept by itself."""
    if isinstance(found, BondSettings):
        row.recommendations, row.reasons = _of_bond(found), _why_bond(found)
    else:
        row.recommendations, row.reasons = _speeds(found), _why_speeds(found)
    row.decision = TuningDecision.PENDING
    _end(row, TuningStatus.SUCCEEDED, now=now)
    log.info("tuning succeeded", tuning=row.pk, bond=row.bond_id, found=row.recommendations)
    if row.automatic and row.bond.auto_accept:
        _accept(row)


def _end(row: Tuning, status: TuningStatus, *, now: datetime) -> None:
    row.status, row.finished, row.waiting_since = status, now, None
    row.save()
    Bond.objects.filter(pk=row.bond_id).update(tuning_in_progress=False)
    space_id = row.bond.space_id
    record(by=SERVER, action=status.value, row=row, change=Change(), now=now, space_id=space_id)


def _accept(row: Tuning) -> None:
    try:
        with transaction.atomic():
            accept_tuning(by=SERVER, tuning=row)
    except DomainError as refusal:
        # The recommendations stay, for somebody to decide.
        log.warning("an automatic tuning is not accepted", tuning=row.pk, error=str(refusal))


def _speeds(found: LegSpeeds) -> dict[str, Any]:
    return {"down_kbps": found.down.kbps, "up_kbps": found.up.kbps}


def _of_bond(found: BondSettings) -> dict[str, Any]:
    return {
        "legs": [{"id": leg.leg_id, **_speeds(leg)} for leg in found.legs],
        "packet_distribution": found.packet_distribution.value,
        "reorder_max_hold": found.reorder_max_hold,
        "tcp_proxy": found.tcp_proxy,
    }


def _why_speeds(found: LegSpeeds) -> list[dict[str, str]]:
    return [
        {"about": f"leg {found.leg_id} down_speed", "words": found.down.words},
        {"about": f"leg {found.leg_id} up_speed", "words": found.up.words},
    ]


def _why_bond(found: BondSettings) -> list[dict[str, str]]:
    return [
        *(reason for leg in found.legs for reason in _why_speeds(leg)),
        *(
            {"about": f"leg {one.leg_id}", "words": f"Left out. {one.words}"}
            for one in found.left_out
        ),
        {"about": "packet_distribution", "words": found.distribution_words},
        {"about": "reorder_max_hold", "words": found.hold_words},
        {"about": "tcp_proxy", "words": found.proxy_words},
    ]
