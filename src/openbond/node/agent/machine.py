"""What the agent finds out about its machine when it starts: paths and programs."""

import shutil
import sys

from openbond.node.paths import Paths
from openbond.node.plan.facts import Machine
from openbond.node.settings import NodeSettings

# Where Debian has them, whatever PATH the agent was started with.
PROGRAM_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


def machine_of(paths: Paths, settings: NodeSettings) -> Machine:
    """Return what is so on this machine, whatever the config says."""
    command = (sys.executable, "-m", "openbond.node.tunnel_daemon")
    return Machine(
        tunnel_key=str(paths.tunnel_key),
        dhcp_hook=str(paths.dhcp_hook),
        leases=str(paths.leases),
        ppp_argv=(sys.executable, "-m", "openbond.node.pppoe", "--root", str(paths.root), "--leg"),
        modem_argv=(sys.executable, "-m", "openbond.node.modems", "--root", str(paths.root)),
        ppp_hook=str(paths.ppp_hook),
        lines=str(paths.lines),
        dnsmasq=_program("dnsmasq"),
        bird=_program("bird"),
        routing=settings.routing,
        client_files=str(paths.run),
        client_leases=str(paths.client_leases),
        tunnel_argv=(*command, "--root", str(paths.root), "--bond"),
        route_table=settings.route_table,
    )


def _program(name: str) -> str:
    return shutil.which(name, path=PROGRAM_PATH) or ""
