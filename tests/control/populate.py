"""Run as a process of its own beside a live server: makes or changes objects in its database.

python -m tests.control.populate bond           an aggregator, a bond with a leg; prints keys
python -m tests.control.populate hold BOND MS   changes the bond
python -m tests.control.populate look BOND      prints what the server knows of its bonder
"""

import json
import os
import sys
from collections.abc import Callable

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "openbond.server.project.settings"
django.setup()

from openbond.server.bonds.models import Bond  # noqa: E402 - after setup
from openbond.server.bonds.services.bonds import create_bond, update_bond  # noqa: E402
from openbond.server.bonds.services.legs import create_leg  # noqa: E402
from openbond.server.fleet.models import ConfigUpdate, Node  # noqa: E402
from openbond.server.fleet.services import create_aggregator  # noqa: E402
from openbond.server.spaces.models import Space  # noqa: E402
from openbond.server.system.actors import SERVER  # noqa: E402
from openbond.wire.states import LegType  # noqa: E402


def bond() -> dict[str, object]:
    root = Space.objects.get(parent=None)
    aggregator = create_aggregator(by=SERVER, name="agg", ip="198.51.100.10", space=root)
    made = create_bond(by=SERVER, aggregator=aggregator, space=root, name="site")
    create_leg(
        by=SERVER, bond=made, type=LegType.DHCP, interface="eth1", down_kbps=50_000, up_kbps=10_000
    )
    return {"bond": made.pk, "bonder": made.bonder.key, "aggregator": aggregator.key}


def hold(bond_id: str, milliseconds: str) -> dict[str, object]:
    found = Bond.objects.get(pk=int(bond_id))
    update_bond(by=SERVER, bond=found, reorder_max_hold=int(milliseconds))
    return {}


def look(bond_id: str) -> dict[str, object]:
    bonder = Bond.objects.get(pk=int(bond_id)).bonder_id
    updates = ConfigUpdate.objects.filter(node_id=bonder).order_by("id")
    node = Node.objects.get(pk=bonder)
    return {
        "statuses": list(updates.values_list("status", flat=True)),
        "version": node.version,
        "connected": node.last_connected is not None,
    }


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    verbs: dict[str, Callable[..., dict[str, object]]] = {"bond": bond, "hold": hold, "look": look}
    sys.stdout.write(json.dumps(verbs[verb](*words)))
