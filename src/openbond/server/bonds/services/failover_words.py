"""What operators are told of failed aggregators: what, since when, what was done, what to do."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openbond.server.bonds.selectors.failover import load_of
from openbond.server.fleet.models import Aggregator
from openbond.server.fleet.selectors import Watched
from openbond.server.fleet.services import Move
from openbond.server.system.alerts import raise_alert
from openbond.server.system.mail import MailText
from openbond.wire import checks

RESTORE = "POST /api/v3/bonds/ID/restore_to_primary_agg/"


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found: `fault` says in words why it is a miss, "" is an answer.

    `bad_since`: when the first of the misses in a row began.
    """

    fault: str
    bad_since: datetime | None = None

    @property
    def is_answered(self) -> bool:
        return not self.fault


def failure_alert(
    watched: Watched,
    check: Check,
    *,
    misses: int,
    moved: Sequence[Move],
    held: str,
    now: datetime,
) -> None:
    """Tell that an aggregator has failed and what became of its bonds."""
    what = (
        f"Aggregator {watched.name} ({watched.ip}) has failed: {misses} checks in a row without "
        f"success. The last one: {check.fault}"
    )
    done = " ".join(_what_was_done(watched, moved, held))
    advice = (
        f"Look whether the machine runs, whether the server reaches it on TCP port {checks.PORT}, "
        "and what its log says. Nothing moves back by itself: once it has recovered, restore each "
        f"bond with {RESTORE}."
    )
    mail = MailText(
        subject=f"Aggregator {watched.name} has failed",
        what=what,
        done=done,
        advice=advice,
        path=f"aggregators/{watched.aggregator_id}/",
        since=check.bad_since,
    )
    raise_alert(
        code="aggregator_failed",
        about=f"aggregator {watched.aggregator_id}",
        text=f"{what} {done}",
        now=now,
        mail=mail,
    )


def recovery_alert(watched: Watched, *, now: datetime) -> None:
    """Tell that an aggregator answers again."""
    away = load_of(watched.aggregator_id).away
    what = f"Aggregator {watched.name} ({watched.ip}) answers again."
    advice = (
        f"{_bonds(away)} with it as primary run elsewhere. Restore each with {RESTORE}."
        if away
        else ""
    )
    mail = MailText(
        subject=f"Aggregator {watched.name} has recovered",
        what=what,
        done="No bond was moved back.",
        advice=advice,
        path=f"aggregators/{watched.aggregator_id}/",
    )
    raise_alert(
        code="aggregator_recovered",
        about=f"aggregator {watched.aggregator_id}",
        text=f"{what} {advice}".strip(),
        now=now,
        mail=mail,
    )


def held_alert(why: str, *, bonds: int, now: datetime) -> None:
    """Tell that bonds stay on a failed aggregator, and why."""
    text = f"{_bonds(bonds)} on a failed aggregator are not moved. {why}"
    mail = MailText(
        subject="Bonds are not moved off a failed aggregator",
        what=text,
        done="The server goes on checking, and moves them as soon as nothing prevents it.",
        advice="See the settings maintenance_mode, known_hosts and allow_suspension.",
        path="system/status/aggfailover/",
    )
    raise_alert(code="failover_held", about="failover", text=text, now=now, mail=mail)


def _what_was_done(watched: Watched, moved: Sequence[Move], held: str) -> list[str]:
    names = dict(Aggregator.objects.values_list("pk", "name"))
    targets = Counter(move.new for move in moved if move.old == watched.aggregator_id)
    words = [f"{_bonds(count)} moved to {names[target]}." for target, count in targets.items()]
    load = load_of(watched.aggregator_id)
    if load.with_secondary:
        why = held or "Their secondary has failed, too, or is silent."
        words.append(f"{_bonds(load.with_secondary)} with a secondary stay. {why}")
    if load.alone:
        words.append(
            f"{_bonds(load.alone)} without a secondary stay: give them one, and they are moved "
            "within 30 s."
        )
    if load.as_secondary:
        words.append(
            f"{_bonds(load.as_secondary)} run on it as their secondary and stay: restore them to "
            f"their primary with {RESTORE}, if that is well."
        )
    return words or ["No bond runs on it."]


def _bonds(count: int) -> str:
    return f"{count} bond" if count == 1 else f"{count} bonds"
