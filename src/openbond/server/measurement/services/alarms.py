"""Opens and closes alarms about legs and bonds (behaviour 3.10)."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

from openbond.server.bonds.models import Bond, BondReport, Leg, LegReport
from openbond.server.measurement.models import Alarm
from openbond.server.measurement.rules.alarms import (
    COVERED_BY_BOND_DOWN,
    LIMITS,
    AlarmKind,
    Track,
    next_track,
)
from openbond.server.measurement.selectors.alarms import Look, look_at_all, unclosed_alarms
from openbond.server.system.alerts import raise_alert
from openbond.server.system.mail import MailText, queue_mail

log = structlog.get_logger(__name__)

Key = tuple[AlarmKind, int, int | None]

WORDS = {
    AlarmKind.LEG_DOWN: "{leg} is down, though the bond may work: look at its line and its modem.",
    AlarmKind.LEG_FLAPPING: "{leg} goes down again and again: look at its cabling and its line.",
    AlarmKind.FAILOVER_IN_USE: "{leg} carries the traffic, as no other leg can: mend the others.",
    AlarmKind.BOND_DOWN: "Bond {bond} has no leg left that works: look at the power there.",
    AlarmKind.MTU_LOW: "{leg} carries no packets of 1280 bytes: look for a tunnel in its line.",
    AlarmKind.SPEED_ADJUSTED: "{leg} is far slower than configured: tune it, or ask its provider.",
}


@dataclass(frozen=True, slots=True)
class _Move:
    """A track that changed, with the row that there is."""

    look: Look
    alarm: Alarm | None
    before: Track | None
    after: Track | None


def watch_alarms(*, now: datetime) -> None:
    """Look at everything once; write what opens and closes, and tell operators.

    Looking takes long where there are many legs, so it holds no lock: nobody else writes alarms.
    """
    moves = list(_moves(now))
    if moves:
        with transaction.atomic():
            _show({move.look.bond.pk for move in _still_there(moves) if _take(move, now)})


def _moves(now: datetime) -> Iterator[_Move]:
    watched = {_key(alarm): alarm for alarm in unclosed_alarms()}
    cut_off: set[int] = set()
    for look in look_at_all(watched.values(), now=now):
        alarm = watched.get(_key_of(look))
        is_covered = look.kind in COVERED_BY_BOND_DOWN and look.bond.pk in cut_off
        before = _track(alarm)
        after = next_track(
            before,
            look.finding,
            limits=LIMITS[look.kind],
            may_open=not look.is_excused and not is_covered,
            now=now,
        )
        if after is not None and after.opened and not after.closed:
            cut_off |= {look.bond.pk} if look.kind is AlarmKind.BOND_DOWN else set()
        if after != before:
            yield _Move(look, alarm, before, after)


def _still_there(moves: Sequence[_Move]) -> list[_Move]:
    """Leave out what is about legs and bonds that were deleted since they were looked at."""
    bonds = {move.look.bond.pk for move in moves}
    legs = {move.look.leg.pk for move in moves if move.look.leg}
    there = set(Bond.objects.filter(pk__in=bonds).values_list("pk", flat=True))
    there_legs = {None, *Leg.objects.filter(pk__in=legs).values_list("pk", flat=True)}
    return [
        move
        for move in moves
        if move.look.bond.pk in there and (move.look.leg and move.look.leg.pk) in there_legs
    ]


def _take(move: _Move, now: datetime) -> bool:
    """Write the new track; return whether the alarm opened or closed."""
    look, alarm, before, after = move.look, move.alarm, move.before, move.after
    if after is None:
        if alarm is not None:
            alarm.delete()
        return False
    row = alarm or Alarm(kind=look.kind, bond=look.bond, leg=look.leg)
    row.since, row.opened = after.since, after.opened
    row.fit_since, row.closed = after.fit_since, after.closed
    row.save()
    has_opened = after.opened is not None and (before is None or before.opened is None)
    if has_opened:
        _tell_opened(look, after.since, now)
    if after.closed is not None:
        _tell_closed(look, now)
    return has_opened or after.closed is not None


def _tell_opened(look: Look, since: datetime, now: datetime) -> None:
    what, _, advice = _words(look).rpartition(": ")
    mail = MailText(
        subject=f"{_title(look)} ({look.bond.name})",
        what=f"{what}.",
        advice=f"{advice[:1].upper()}{advice[1:]}",
        path=f"bonds/{look.bond.pk}/",
        since=since,
    )
    code = look.kind.value
    raise_alert(code=code, about=_about(look), text=_words(look), now=now, mail=mail)


def _tell_closed(look: Look, now: datetime) -> None:
    code = look.kind.value
    log.info("alarm closed", code=code, about=_about(look))
    mail = MailText(
        subject=f"Over: {_title(look)} ({look.bond.name})",
        what="The alarm is closed: it is as it should be again.",
        path=f"bonds/{look.bond.pk}/",
    )
    queue_mail(code=f"{code}_over", about=_about(look), text=mail, now=now)


def _title(look: Look) -> str:
    return f"{_about(look)}: {look.kind.value.replace('_', ' ')}".capitalize()


def _show(bond_ids: Iterable[int]) -> None:
    """Put the open alarms where lists of bonds and legs read them with the rest of a row."""
    ids = list(bond_ids)
    if not ids:
        return
    of_bonds: dict[int, list[dict[str, str]]] = defaultdict(list)
    of_legs: dict[int, list[dict[str, str]]] = defaultdict(list)
    rows = Alarm.objects.filter(bond__in=ids, opened__isnull=False, closed__isnull=True)
    for kind, bond_id, leg_id, opened in rows.values_list("kind", "bond_id", "leg_id", "opened"):
        shown = {"alarm": kind, "opened": f"{opened:%Y-%m-%dT%H:%M:%SZ}"}
        (of_bonds[bond_id] if leg_id is None else of_legs[leg_id]).append(shown)
    for report in LegReport.objects.filter(leg__bond__in=ids):
        LegReport.objects.filter(pk=report.pk).update(alarms=_text(of_legs[report.pk]))
    for bond_id in ids:
        BondReport.objects.filter(pk=bond_id).update(alarms=_text(of_bonds[bond_id]))


def _text(alarms: list[dict[str, str]]) -> str:
    return json.dumps(alarms) if alarms else ""


def _track(alarm: Alarm | None) -> Track | None:
    if alarm is None:
        return None
    return Track(alarm.since, alarm.opened, alarm.fit_since, alarm.closed)


def _key(alarm: Alarm) -> Key:
    return AlarmKind(alarm.kind), alarm.bond_id, alarm.leg_id


def _key_of(look: Look) -> Key:
    return look.kind, look.bond.pk, look.leg.pk if look.leg else None


def _about(look: Look) -> str:
    return f"leg {look.leg.pk}" if look.leg else f"bond {look.bond.pk}"


def _words(look: Look) -> str:
    leg = look.leg
    name = f"Leg {leg.pk} ({leg.interface or leg.type}) of bond {look.bond.name}" if leg else ""
    return WORDS[look.kind].format(leg=name, bond=look.bond.name)
