"""Keeps in mind by which leg a decommissioned node still asks for its config (behaviour 1.4)."""

from collections.abc import Mapping

from openbond.node import store
from openbond.node.paths import Paths
from openbond.node.plan.facts import Lease, ManagementLeg
from openbond.node.plan.management import choose_management_leg
from openbond.wire.config import NodeContent


class Management:
    """The leg is chosen from the config before, and outlives a reboot on disk."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.management_leg

    def leg(
        self, content: NodeContent, before: NodeContent | None, leases: Mapping[int, Lease]
    ) -> ManagementLeg | None:
        """Return the leg to keep for this content; None while the node is in service."""
        if not content.decommission:
            return None
        kept = self._read()
        if kept is None and before is not None and not before.decommission:
            kept = choose_management_leg(before, leases)
            if kept is not None:
                store.write_value(self._path, kept)
        return kept

    def on_applied(self, content: NodeContent) -> None:
        """Forget the leg once the node is in service again."""
        if not content.decommission and self._path.exists():
            store.remove(self._path)

    def _read(self) -> ManagementLeg | None:
        try:
            return store.read_value(self._path, ManagementLeg)
        except store.Damaged:
            return None
