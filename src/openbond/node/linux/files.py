"""Files that the node's other programs start from: settings of daemons and clients, programs."""

from openbond.node import programs, store
from openbond.node.daemon_messages import settings_path
from openbond.node.paths import Paths
from openbond.node.plan.dhcp_server import DIRECTORY as DHCP_SERVER
from openbond.node.plan.difference import Add, Delete
from openbond.node.plan.modems import SETTINGS as MODEM_SETTINGS
from openbond.node.plan.routing_daemon import DIRECTORY as BIRD
from openbond.node.plan.values import ClientFile, RunningProgram, SettingsFile


def observe_programs(paths: Paths) -> frozenset[RunningProgram]:
    found = programs.read_programs(paths.programs).values()
    return frozenset(RunningProgram(program.name, tuple(program.argv)) for program in found)


def observe_settings(paths: Paths) -> frozenset[SettingsFile]:
    found = set()
    for path in paths.run.glob("tun*.json"):
        number = path.stem.removeprefix("tun")
        content = store.read(path)
        if number.isdecimal() and content is not None:
            found.add(SettingsFile(int(number), content))
    return frozenset(found)


def observe_client_files(paths: Paths) -> frozenset[ClientFile]:
    found = set()
    kinds = ("ppp/*.options", f"{DHCP_SERVER}/*.conf", f"{BIRD}/*.conf", MODEM_SETTINGS)
    for path in [path for kind in kinds for path in paths.run.glob(kind)]:
        content = store.read(path)
        if content is not None:
            found.add(ClientFile(str(path.relative_to(paths.run)), content))
    return frozenset(found)


def change_file(paths: Paths, step: Add | Delete) -> None:
    """Write or remove the file of a step; what may hold a secret is for root alone."""
    item, is_wanted = step.item, isinstance(step, Add)
    if isinstance(item, RunningProgram):
        if is_wanted:
            program = programs.Program(name=item.name, argv=list(item.argv))
            programs.write_program(paths.programs, program)
        else:
            programs.remove_program(paths.programs, item.name)
    elif isinstance(item, SettingsFile | ClientFile):
        path = (
            settings_path(paths.root, item.bond_id)
            if isinstance(item, SettingsFile)
            else paths.run / item.name
        )
        if is_wanted:
            store.write(path, item.text, mode=store.PRIVATE)
        else:
            store.remove(path)
