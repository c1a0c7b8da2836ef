"""A node's machine: observe it, apply steps to it, and say what was reached (behaviour 1.8)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from openbond.node.errors import NodeError
from openbond.node.hooks.folders import has_hooks
from openbond.node.hooks.messages import Start, Status, Stop, ask_runner, hook_of, object_of
from openbond.node.lines import NoAnswer
from openbond.node.paths import Paths
from openbond.node.plan.difference import Add, Delete, Replace, Set, Step
from openbond.node.plan.values import (
    Address,
    ClientFile,
    Desired,
    Device,
    EthernetMode,
    FarEnd,
    Hook,
    Item,
    Observed,
    Route,
    Rule,
    Ruleset,
    RunningProgram,
    SettingsFile,
    Sysctl,
    Vlan,
    Vxlan,
)

from .addresses import add_address, delete_address, observe_addresses
from .ethernet import observe_ethernet, set_ethernet
from .files import change_file, observe_client_files, observe_programs, observe_settings
from .links import add_device, add_vlan, delete_device, observe_links, set_link
from .netlink import Kernel, NotNow, conversation
from .nft import observe_ruleset, set_ruleset
from .routes import add_route, delete_route, observe_routes, replace_route
from .rules import add_rule, delete_rule, observe_rules
from .sysctls import observe_sysctls, set_sysctl
from .vxlan import add_far_end, add_vxlan, delete_far_end, observe_far_ends


@dataclass(frozen=True, slots=True)
class Failure:
    """A step the kernel refused, and whose it was."""

    step: Step
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    reached: tuple[Step, ...]
    failed: tuple[Failure, ...]
    waiting: tuple[Failure, ...] = ()  # cannot be done now: a warning


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
            far_ends = observe_far_ends(kernel, devices)
            names = _names(kernel)
            addresses, foreign = observe_addresses(kernel, names)
            routes, rules = observe_routes(kernel, names), observe_rules(kernel)
        wanted = [item for item in desired.settings if isinstance(item, Sysctl)]
        modes = [item for item in desired.settings if isinstance(item, EthernetMode)]
        hooks = self._hooks()
        return Observed(
            links=links,
            devices=devices,
            far_ends=far_ends,
            addresses=addresses,
            foreign_addresses=foreign,
            routes=routes,
            rules=rules,
            sysctls=observe_sysctls(wanted),
            ruleset=observe_ruleset(self._paths.ruleset_mark),
            ethernet_modes=observe_ethernet(modes),
            files=observe_settings(self._paths),
            client_files=observe_client_files(self._paths),
            programs=observe_programs(self._paths),
            hooks=hooks,
            hooks_wait=hooks is None and has_hooks(self._paths.settings.parent),
        )

    def apply(self, steps: Sequence[Step]) -> Outcome:
        """Do the steps one by one; one that fails does not stop the others."""
        reached, failed, waiting = [], [], []
        missing: set[str] = set()
        with conversation() as kernel:
            for step in steps:
                if getattr(step.item, "interface", None) in missing:
                    continue
                try:
                    self._do(kernel, step)
                except NotNow as obstacle:
                    waiting.append(Failure(step, str(obstacle)))
                    if isinstance(step.item, Vlan | Vxlan):
                        missing.add(step.item.name)
                except NodeError as refused:
                    failed.append(Failure(step, str(refused)))
                else:
                    reached.append(step)
        return Outcome(tuple(reached), tuple(failed), tuple(waiting))

    def _do(self, kernel: Kernel, step: Step) -> None:
        if isinstance(step, Set):
            self._set(kernel, step)
        elif isinstance(step, Replace):
            replace_route(kernel, step.item)
        elif isinstance(step.item, Hook):
            self._change_hooks(step)
        elif isinstance(step.item, SettingsFile | ClientFile | RunningProgram):
            change_file(self._paths, step)
        elif isinstance(step, Add):
            _add(kernel, step.item)
        else:
            _delete(kernel, step.item)

    def _set(self, kernel: Kernel, step: Set) -> None:
        if isinstance(step.item, Sysctl):
            set_sysctl(step.item)
        elif isinstance(step.item, Ruleset):
            set_ruleset(step.item, self._paths.ruleset_mark)
        elif isinstance(step.item, EthernetMode):
            set_ethernet(step.item)
        else:
            set_link(kernel, step.item)

    def _change_hooks(self, step: Add | Replace | Delete) -> None:
        """Raises NotNow while the hook runner does not answer."""
        if not isinstance(step.item, Hook):
            return
        item = object_of(step.item)
        request = Start(object=item) if isinstance(step, Add) else Stop(object=item)
        try:
            ask_runner(self._paths.hook_socket, request)
        except NoAnswer as silence:
            raise NotNow(f"the hook runner does not do it: {silence}") from silence

    def _hooks(self) -> tuple[Hook, ...] | None:
        try:
            answer = ask_runner(self._paths.hook_socket, Status())
        except NoAnswer:
            return None
        return tuple(hook_of(item) for item in answer.started)


def _names(kernel: Kernel) -> dict[int, str]:
    return {link["index"]: link.get_attr("IFLA_IFNAME") for link in kernel.get_links()}


def _add(kernel: Kernel, item: Item) -> None:
    for kind, add in _ADDERS.items():
        if isinstance(item, kind):
            add(kernel, item)


def _delete(kernel: Kernel, item: Item) -> None:
    for kind, delete in _DELETERS.items():
        if isinstance(item, kind):
            delete(kernel, item)


_ADDERS: dict[type, Callable[[Kernel, Any], None]] = {
    Device: add_device,
    Vlan: add_vlan,
    Vxlan: add_vxlan,
    FarEnd: add_far_end,
    Address: add_address,
    Route: add_route,
    Rule: add_rule,
}
_DELETERS: dict[type, Callable[[Kernel, Any], None]] = {
    Device: delete_device,
    Vlan: delete_device,
    Vxlan: delete_device,
    FarEnd: delete_far_end,
    Address: delete_address,
    Route: delete_route,
    Rule: delete_rule,
}


def sentences_of(failures: Iterable[Failure]) -> list[tuple[str, str]]:
    """Return (object, sentence) of each."""
    return [(failure.step.about, f"{failure.step}: {failure.text}") for failure in failures]
