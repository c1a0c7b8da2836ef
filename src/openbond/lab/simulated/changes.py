"""Changes of bonds by the API, and how long each takes until its node has it."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from .connection import Connection, Server

PATIENCE = 30.0
HOLDS = (50, 500)  # ms; any value, as long as it is another one
_DICE = random.Random()  # noqa: S311 - spreads load, guards nothing


@dataclass(slots=True)
class Changes:
    """Seconds from the sending of a change to the arrival of its config at the bonder."""

    taken: list[float] = field(default_factory=list)
    failures: int = 0
    _sent: dict[int, float] = field(default_factory=dict)

    def on_config(self, node_id: int) -> None:
        sent = self._sent.pop(node_id, None)
        if sent is not None:
            self.taken.append(time.monotonic() - sent)

    @property
    def under_way(self) -> int:
        return len(self._sent)

    async def make(self, server: Server, token: str, bond_ids: list[int], *, pause: float) -> None:
        """Change one bond after another, `pause` s apart, until cancelled.

        A simulated bond has the id of its bonder. Raises OSError.
        """
        connection = await Connection.to(server)
        try:
            for bond_id in _DICE.sample(bond_ids, len(bond_ids)):
                await self._change(connection, token, bond_id)
                await asyncio.sleep(pause)
        finally:
            connection.close()

    async def _change(self, connection: Connection, token: str, bond_id: int) -> None:
        self._sent[bond_id] = time.monotonic()
        answer = await connection.ask(
            "PATCH",
            f"/api/v3/bonds/{bond_id}/",
            {"Authorization": f"Token {token}", "Content-Type": "application/json"},
            b'{"reorder_max_hold": %d}' % _DICE.randrange(*HOLDS),
            within=PATIENCE,
        )
        if answer.status != 200:
            self._sent.pop(bond_id, None)
            self.failures += 1
