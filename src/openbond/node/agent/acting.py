"""Does the actions that a config asks for, once (behaviour 1.7)."""

import asyncio
from collections.abc import Coroutine

import structlog

from openbond.node import actions, daemon_messages, store
from openbond.node.actions import Action, Kind
from openbond.node.errors import NodeError
from openbond.node.paths import Paths
from openbond.wire.config import NodeContent

from .daemons import Daemons
from .keeper import Keeper

log = structlog.get_logger()


class Actor:
    """Remembers on disk what it acted upon."""

    def __init__(self, paths: Paths, keeper: Keeper, daemons: Daemons) -> None:
        self._path = paths.actions
        self._keeper = keeper
        self._daemons = daemons
        self._acting: set[asyncio.Task[None]] = set()

    def on_applied(self, content: NodeContent) -> None:
        """Start what is due. Remembered first: an action that kills us shall not do so for ever."""
        due, remembered = actions.due_actions(content, self._acted())
        store.write_value(self._path, remembered)
        for action in due:
            log.info("action", kind=action.kind, bond=action.bond_id, leg=action.leg_id)
        self._start(self._act(due))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    def _acted(self) -> dict[str, int] | None:
        try:
            return store.read_value(self._path, dict[str, int])
        except store.Damaged:
            # As on a first boot: rather none than all of them again.
            return None

    async def _act(self, due: list[Action]) -> None:
        restarts = {action.bond_id for action in due if action.kind is Kind.RESTART}
        if restarts:
            try:
                await self._keeper.rebuild(restarts)
            except NodeError as failure:
                log.error("bonds cannot be restarted", bonds=sorted(restarts), why=str(failure))
        for action in due:
            if action.kind is Kind.DETECT_MTU:
                request = daemon_messages.DetectMtu(leg_ids=[action.leg_id])
                self._daemons.tell(action.bond_id, request)
