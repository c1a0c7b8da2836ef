"""Run as a process of its own beside a live server: makes a bond in its database, and nodes' words.

python -m tests.browser.fleet bond      a bond on three legs that measured, one down; prints ids
python -m tests.browser.fleet cut LEG   both ends say of a leg that it is down
"""

import json
import math
import os
import sys
from collections.abc import Callable
from datetime import timedelta

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "openbond.server.project.settings"
django.setup()

from django.utils import timezone  # noqa: E402 - after setup

from openbond.server.bonds.models import Bond, LegReport  # noqa: E402
from openbond.server.bonds.services import create_bond, create_leg  # noqa: E402
from openbond.server.fleet.models import Node  # noqa: E402
from openbond.server.fleet.services import create_aggregator  # noqa: E402
from openbond.server.measurement.models import Alarm, LegChange, SpeedTest  # noqa: E402
from openbond.server.measurement.services import create_speed_test  # noqa: E402
from openbond.server.spaces.models import Space  # noqa: E402
from openbond.server.system.actors import SERVER  # noqa: E402
from openbond.server.telemetry.rules.times import ms_of  # noqa: E402
from openbond.wire.states import LegType  # noqa: E402
from tests.server.telemetry.telling import MINUTE_MS, Teller  # noqa: E402

MINUTES = 16
LEGS = (("eth1", 50_000, 10_000), ("eth2", 20_000, 5_000), ("wwan0", 30_000, 8_000))


def bond() -> dict[str, object]:
    root = Space.objects.get(parent=None)
    home = create_aggregator(by=SERVER, name="fra-1", ip="198.51.100.10", space=root)
    away = create_aggregator(by=SERVER, name="ams-1", ip="198.51.100.20", space=root)
    made = create_bond(
        by=SERVER, aggregator=home, secondary_aggregator=away, space=root, name="bakery"
    )
    legs = [
        create_leg(
            by=SERVER, bond=made, type=LegType.DHCP, interface=name, down_kbps=down, up_kbps=up
        )
        for name, down, up in LEGS
    ]
    now = timezone.now()
    for leg, state in zip(legs, ("up", "adjusted", "down"), strict=True):
        say(leg.pk, state)
    LegReport.objects.filter(leg=legs[1]).update(
        up_spill_reason="adds 90 ms", rtt_us=92_000, adapted_down_kbps=12_000, up_loss_permille=12
    )
    LegReport.objects.filter(leg=legs[0]).update(rtt_us=14_200)
    then = now - timedelta(minutes=12)
    Alarm.objects.create(kind="leg_down", bond=made, leg=legs[2], since=then, opened=now)
    Bond.objects.filter(pk=made.pk).update(current_aggregator=away)
    Node.objects.update(last_connected=now)
    test = create_speed_test(by=SERVER, bond=made, length=20)
    SpeedTest.objects.filter(pk=test.pk).update(
        status="running", progress_results=[{"time": 7.0, "throughput": 12_400_000}]
    )
    _measure(made, [leg.pk for leg in legs])
    return {"bond": made.pk, "legs": [leg.pk for leg in legs]}


def _measure(made: Bond, leg_ids: list[int]) -> None:
    teller = Teller(node_id=made.bonder_id, bond_id=made.pk, leg_ids=leg_ids)
    last = ms_of(timezone.now()) // MINUTE_MS * MINUTE_MS
    for minute in range(MINUTES, 0, -1):
        teller.tell_minute(last - minute * MINUTE_MS, int(9e6 + 4e6 * math.sin(minute)))


def say(leg_id: int, state: str) -> None:
    """Both ends report a state, now and for the hour to come: nobody is there to repeat it."""
    now = timezone.now()
    heard = now + timedelta(hours=1)
    LegReport.objects.filter(leg=leg_id).update(
        bonder_state=state, bonder_reported=heard, aggregator_state=state, aggregator_reported=heard
    )
    for source in ("bonder", "aggregator"):
        LegChange.objects.create(leg_id=leg_id, source=source, state=state, start=now)


def cut(leg_id: str) -> dict[str, object]:
    say(int(leg_id), "down")
    return {}


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    verbs: dict[str, Callable[..., dict[str, object]]] = {"bond": bond, "cut": cut}
    sys.stdout.write(json.dumps(verbs[verb](*words)))
