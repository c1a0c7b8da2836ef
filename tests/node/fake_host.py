"""A machine in memory: it holds what is done to it, and refuses what it is told to refuse."""

from dataclasses import replace
from typing import Any

from openbond.node.errors import NodeError
from openbond.node.linux.host import Failure, Outcome
from openbond.node.plan.difference import Add, Replace, Set, Step
from openbond.node.plan.values import (
    Address,
    ClientFile,
    Desired,
    Device,
    EthernetMode,
    Hook,
    Link,
    LinkMac,
    LinkMtu,
    LinkUp,
    Observed,
    Route,
    Rule,
    Ruleset,
    RunningProgram,
    SettingsFile,
    Sysctl,
    Thing,
    Vlan,
)

FIELDS = {
    Address: "addresses",
    ClientFile: "client_files",
    Device: "devices",
    Vlan: "devices",
    Route: "routes",
    Rule: "rules",
    RunningProgram: "programs",
    SettingsFile: "files",
}


class FakeHost:
    def __init__(self, *interfaces: str) -> None:
        links = {name: Link(name, up=True, carrier=True, mtu=1500) for name in interfaces}
        self.state = Observed(links=links, ruleset=Ruleset(""))
        self.refused: set[str] = set()  # steps, as they read aloud
        self.broken = ""  # why nothing works at all
        self.done: list[str] = []

    def observe(self, desired: Desired) -> Observed:
        if self.broken:
            raise NodeError(self.broken)
        return self.state

    def apply(self, steps: tuple[Step, ...]) -> Outcome:
        reached, failed = [], []
        for step in steps:
            if str(step) in self.refused:
                failed.append(Failure(step, "the kernel refuses"))
            else:
                self._do(step)
                reached.append(step)
                self.done.append(str(step))
        return Outcome(tuple(reached), tuple(failed))

    def _do(self, step: Step) -> None:
        if isinstance(step, Set):
            self._set(step)
        elif isinstance(step.item, Hook):
            self._change_hooks(step.item, added=isinstance(step, Add))
        elif isinstance(step, Replace):
            kept = {route for route in self.state.routes if route.key != step.item.key}
            self.state = replace(self.state, routes=frozenset({*kept, step.item}))
        else:
            self._change(step.item, added=isinstance(step, Add))

    def _change_hooks(self, item: Hook, *, added: bool) -> None:
        others = tuple(hook for hook in self.state.hooks or () if hook != item)
        self.state = replace(self.state, hooks=(*others, item) if added else others)

    def _change(self, item: Thing, *, added: bool) -> None:
        name = FIELDS[type(item)]
        present: set[Thing] = {o for o in getattr(self.state, name) if not _succeeds(item, o)}
        changes: dict[str, Any] = {name: frozenset(present | {item} if added else present - {item})}
        self.state = replace(self.state, **changes)
        if isinstance(item, Device | Vlan):
            links = dict(self.state.links)
            links.pop(item.name, None)
            if added:
                links[item.name] = Link(item.name, up=False, carrier=False, mtu=1500)
            self.state = replace(self.state, links=links)

    def _set(self, step: Set) -> None:
        item = step.item
        if isinstance(item, Sysctl):
            self.state = replace(self.state, sysctls={**self.state.sysctls, item.key: item.value})
        elif isinstance(item, Ruleset):
            self.state = replace(self.state, ruleset=item)
        elif isinstance(item, EthernetMode):
            modes = {**self.state.ethernet_modes, item.interface: item.mode}
            self.state = replace(self.state, ethernet_modes=modes)
        else:
            link = self.state.links[item.interface]
            links = {**self.state.links, item.interface: _changed(link, item)}
            self.state = replace(self.state, links=links)


def _changed(link: Link, item: LinkMac | LinkMtu | LinkUp) -> Link:
    if isinstance(item, LinkMac):
        return replace(link, mac=item.mac)
    if isinstance(item, LinkMtu):
        return replace(link, mtu=item.mtu)
    return replace(link, up=item.up)


def _succeeds(item: Thing, present: Thing) -> bool:
    """A file takes the place of the one of the same name."""
    if isinstance(item, SettingsFile) and isinstance(present, SettingsFile):
        return item.bond_id == present.bond_id
    if isinstance(item, ClientFile) and isinstance(present, ClientFile):
        return item.name == present.name
    if isinstance(item, RunningProgram) and isinstance(present, RunningProgram):
        return item.name == present.name
    return False
