"""On which legs nothing is heard, as their tunnel daemons say; asked without the agent."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import msgspec

from openbond.node import daemon_messages as messages
from openbond.node.lines import NoAnswer, ask
from openbond.wire.states import ShownState

ANSWER_WITHIN_S = 2.0
SILENT = frozenset({ShownState.DOWN, ShownState.HANDSHAKING})


async def look_for_silence(root: Path, bond_ids: Iterable[int]) -> dict[int, bool]:
    """Return of each leg whether it is silent; of a daemon that does not answer, nothing."""
    answers = await asyncio.gather(*(_ask(root, bond_id) for bond_id in set(bond_ids)))
    return {leg.leg_id: leg.state in SILENT for legs in answers for leg in legs}


async def _ask(root: Path, bond_id: int) -> list[messages.LegStatus]:
    path = messages.socket_path(root, bond_id)
    try:
        line = await ask(path, messages.encode_line(messages.Status()), within_s=ANSWER_WITHIN_S)
        answer = messages.decode_line(line)
    except (NoAnswer, msgspec.DecodeError, UnicodeDecodeError):
        return []
    return answer.legs if isinstance(answer, messages.StatusAnswer) else []
