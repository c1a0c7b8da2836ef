"""When nodes were last heard, and with which version: written in batches, at most one a second."""

from datetime import datetime

from django.db import transaction

from openbond.server.fleet.models import Node
from openbond.server.measurement.services import tune_on_first_contact

SECONDS_BETWEEN_WRITES = 1.0


class Contacts:
    """Collects contacts on the event loop until somebody takes them to write."""

    def __init__(self) -> None:
        self._heard: dict[int, str] = {}

    def on_contact(self, node_id: int, version: str) -> None:
        self._heard[node_id] = version

    def take(self) -> dict[int, str]:
        heard, self._heard = self._heard, {}
        return heard


@transaction.atomic
def write_contacts(heard: dict[int, str], *, now: datetime) -> None:
    """Write that these nodes (id → software version) were heard just now."""
    nodes = Node.objects.filter(pk__in=heard)
    first = list(nodes.filter(last_connected__isnull=True).values_list("pk", flat=True))
    nodes.update(last_connected=now)
    for node_id, version in nodes.values_list("pk", "version"):
        if heard[node_id] and heard[node_id] != version:
            Node.objects.filter(pk=node_id).update(version=heard[node_id][:64])
    if first:
        tune_on_first_contact(node_ids=first)
