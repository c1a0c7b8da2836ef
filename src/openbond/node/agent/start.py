"""Before the agent: its rights, its directories, and an enrolment, waited for if need be."""

import asyncio
from pathlib import Path

import structlog

from openbond.node import store
from openbond.node.channel.enrol import enrol
from openbond.node.errors import NodeError, NotEnrolled, NotPrivileged
from openbond.node.identity import Identity, load_identity
from openbond.node.linux.dhcp import place_hook
from openbond.node.linux.lines import place_ppp_hook
from openbond.node.locks import held
from openbond.node.paths import Paths
from openbond.node.settings import NodeSettings, read_settings

from .agent import Agent
from .retry import Retry

log = structlog.get_logger()

LOOK_EVERY_S = 2.0
STATUS = Path("/proc/self/status")
CAP_NET_ADMIN = 12


async def run_agent(paths: Paths) -> None:
    """Run the agent of one root until it is asked to end.

    Raises NotPrivileged or AlreadyRunning at once; later nothing ends it.
    """
    check_rights(STATUS.read_text())
    with held(paths.agent_lock, "agent"):
        for directory in (paths.programs, paths.leases, paths.lines, paths.modems, paths.notes):
            store.make_directory(directory)
        place_hook(paths.dhcp_hook)
        place_ppp_hook(paths.ppp_hook)
        settings, identity = await wait_enrolled(paths)
        await Agent(paths, settings, identity).run()


def check_rights(status: str) -> None:
    """Raises NotPrivileged when this process may not change the network."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff" and int(value, 16) >> CAP_NET_ADMIN & 1:
            return
    raise NotPrivileged(
        "The agent may not change the network: run it as root, or give it CAP_NET_ADMIN."
    )


async def wait_enrolled(paths: Paths) -> tuple[NodeSettings, Identity]:
    """Return who this node is; enrol, or wait for bonding.conf, as long as it takes."""
    retry = Retry()
    while True:
        try:
            settings = read_settings(paths.settings)
            return settings, await _identity(paths, settings)
        except NotEnrolled as missing:
            if retry.is_first_failure:
                log.warning("not enrolled yet", why=str(missing))
            retry.note_failure()
            await asyncio.sleep(LOOK_EVERY_S)
        except NodeError as error:
            log.warning("enrolment failed", why=str(error))
            await retry.failed(error)


async def _identity(paths: Paths, settings: NodeSettings) -> Identity:
    try:
        return load_identity(paths)
    except NotEnrolled:
        known = store.read(paths.ca)
        ca_pem = known.decode() if known else None
        return await enrol(paths, settings.server, settings.node_key, ca_pem=ca_pem)
