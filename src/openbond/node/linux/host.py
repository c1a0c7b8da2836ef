"""A node's machine: observe it, apply steps to it, and say what was reached (behaviour 1.8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openbond.node import programs, store
from openbond.node.daemon_messages import settings_path
from openbond.node.errors import NodeError
from openbond.node.paths import Paths
from openbond.node.plan.difference import Add, Delete, Replace, Set, Step
from openbond.node.plan.values import (
    Address,
    Desired,
    Device,
    Item,
    Observed,
    Route,
    Rule,
    Ruleset,
    RunningProgram,
    SettingsFile,
    Sysctl,
)

from .addresses import add_address, delete_address, observe_addresses
from .links import add_device, delete_device, observe_links, set_link
from .netlink import Kernel, conversation
from .nft import observe_ruleset, set_ruleset
from .routes import add_route, delete_route, observe_routes, replace_route
from .rules import add_rule, delete_rule, observe_rules
from .sysctls import observe_sysctls, set_sysctl


@dataclass(frozen=True, slots=True)
class Failure:
    """A step the kernel refused, and whose it was."""

    step: Step
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    reached: tuple[Step, ...]
    failed: tuple[Failure, ...]


class LinuxHost:
    """The network namespace we run in, and the program files below one root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def observe(self, desired: Desired) -> Observed:
        """Return what is ours, and of the rest what the desired state touches.

        Raises NodeError when the kernel cannot be asked.
        """
        with conversation() as kernel:
            links, devices = observe_links(kernel)
            names = _names(kernel)
            addresses, foreign = observe_addresses(kernel, names)
            routes, rules = observe_routes(kernel, names), observe_rules(kernel)
        wanted = [item for item in desired.settings if isinstance(item, Sysctl)]
        return Observed(
            links=links,
            devices=devices,
            addresses=addresses,
            foreign_addresses=foreign,
            routes=routes,
            rules=rules,
            sysctls=observe_sysctls(wanted),
            ruleset=observe_ruleset(self._paths.ruleset_mark),
            files=self._files(),
            programs=self._programs(),
        )

    def apply(self, steps: Sequence[Step]) -> Outcome:
        """Do the steps one by one; one that fails does not stop the others."""
        reached, failed = [], []
        with conversation() as kernel:
            for step in steps:
                try:
                    self._do(kernel, step)
                except NodeError as refused:
                    failed.append(Failure(step, str(refused)))
                else:
                    reached.append(step)
        return Outcome(tuple(reached), tuple(failed))

    def _do(self, kernel: Kernel, step: Step) -> None:
        if isinstance(step, Set):
            self._set(kernel, step)
        elif isinstance(step, Replace):
            replace_route(kernel, step.item)
        elif isinstance(step.item, SettingsFile | RunningProgram):
            self._change_file(step)
        elif isinstance(step, Add):
            _add(kernel, step.item)
        else:
            _delete(kernel, step.item)

    def _set(self, kernel: Kernel, step: Set) -> None:
        if isinstance(step.item, Sysctl):
            set_sysctl(step.item)
        elif isinstance(step.item, Ruleset):
            set_ruleset(step.item, self._paths.ruleset_mark)
        else:
            set_link(kernel, step.item)

    # ------------------------------------------------------------------ files other programs read

    def _change_file(self, step: Add | Delete) -> None:
        item = step.item
        if isinstance(item, RunningProgram):
            if isinstance(step, Add):
                program = programs.Program(name=item.name, argv=list(item.argv))
                programs.write_program(self._paths.programs, program)
            else:
                programs.remove_program(self._paths.programs, item.name)
        elif isinstance(item, SettingsFile):
            path = settings_path(self._paths.root, item.bond_id)
            if isinstance(step, Add):
                store.write(path, item.text, mode=store.PRIVATE)
            else:
                store.remove(path)

    def _programs(self) -> frozenset[RunningProgram]:
        found = programs.read_programs(self._paths.programs).values()
        return frozenset(RunningProgram(program.name, tuple(program.argv)) for program in found)

    def _files(self) -> frozenset[SettingsFile]:
        found = set()
        for path in self._paths.run.glob("tun*.json"):
            number = path.stem.removeprefix("tun")
            content = store.read(path)
            if number.isdecimal() and content is not None:
                found.add(SettingsFile(int(number), content))
        return frozenset(found)


def _names(kernel: Kernel) -> dict[int, str]:
    return {link["index"]: link.get_attr("IFLA_IFNAME") for link in kernel.get_links()}


def _add(kernel: Kernel, item: Item) -> None:
    if isinstance(item, Device):
        add_device(kernel, item)
    elif isinstance(item, Address):
        add_address(kernel, item)
    elif isinstance(item, Route):
        add_route(kernel, item)
    elif isinstance(item, Rule):
        add_rule(kernel, item)


def _delete(kernel: Kernel, item: Item) -> None:
    if isinstance(item, Device):
        delete_device(kernel, item)
    elif isinstance(item, Address):
        delete_address(kernel, item)
    elif isinstance(item, Route):
        delete_route(kernel, item)
    elif isinstance(item, Rule):
        delete_rule(kernel, item)


def failures_of(outcome: Outcome) -> Iterable[tuple[str, str]]:
    """Return (object, sentence) of each failure."""
    return [(failure.step.about, f"{failure.step}: {failure.text}") for failure in outcome.failed]
