"""What the agent asks of the supervisor that keeps the node's programs running (behaviour 1.2)."""

import msgspec
import structlog

from openbond.node import programs
from openbond.node.lines import NoAnswer, ask
from openbond.node.paths import Paths

log = structlog.get_logger()

SUPERVISOR_WITHIN_S = 2.0


class Supervision:
    """What the agent asks of the supervisor; without one, program files are all there is."""

    def __init__(self, paths: Paths) -> None:
        self._socket = paths.supervisor_socket

    async def ask(self, request: programs.Request) -> list[programs.ProgramStatus]:
        """Return the state of all programs. Raises NoAnswer."""
        line = programs.encode_line(request)
        answer = await ask(self._socket, line, within_s=SUPERVISOR_WITHIN_S)
        try:
            return programs.decode_answer(answer).programs
        except msgspec.DecodeError as error:
            raise NoAnswer(f"the supervisor's answer is unreadable: {error}") from error

    async def reload(self) -> None:
        await self._tell(programs.Reload())

    async def restart(self, name: str, reason: str) -> None:
        await self._tell(programs.Restart(name=name, reason=reason))

    async def _tell(self, request: programs.Request) -> None:
        try:
            await self.ask(request)
        except NoAnswer as silence:
            log.warning("the supervisor does not answer", why=str(silence))
