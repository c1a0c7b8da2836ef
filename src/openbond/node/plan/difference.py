"""The steps from what is to what shall be: add before delete, foreign things never (§1.8)."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from .values import (
    Address,
    Desired,
    EthernetMode,
    Hook,
    HookKind,
    Item,
    Link,
    LinkMac,
    LinkMtu,
    LinkUp,
    Observed,
    Route,
    Ruleset,
    RunningProgram,
    Setting,
    Sysctl,
    Thing,
)

T = TypeVar("T", bound=Thing)
W = TypeVar("W", bound=Item)


@dataclass(frozen=True, slots=True)
class Add:
    item: Thing
    about: str

    def __str__(self) -> str:
        return f"add {self.item}"


@dataclass(frozen=True, slots=True)
class Replace:
    """Put a route in the place of one with the same key, so that no packet finds neither."""

    item: Route
    about: str

    def __str__(self) -> str:
        return f"replace {self.item}"


@dataclass(frozen=True, slots=True)
class Set:
    item: Setting
    about: str

    def __str__(self) -> str:
        return f"set {self.item}"


@dataclass(frozen=True, slots=True)
class Delete:
    item: Thing
    about: str = "node"

    def __str__(self) -> str:
        return f"delete {self.item}"


Step: TypeAlias = Add | Replace | Set | Delete


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[Step, ...]
    warnings: tuple[tuple[str, str], ...] = ()


def plan(*, desired: Desired, observed: Observed) -> Plan:
    """Return the steps from `observed` to `desired`; none when they are equal.

    What needs an interface that is missing is left out, with a warning about its object.
    """
    present = _Present(desired, observed)
    programs = present.only(desired.programs)
    steps = [
        *_added(present.only(desired.devices), observed.devices),
        *_set(present.only(desired.settings), observed),
        *_added(present.only(desired.far_ends), observed.far_ends),
        *_added(present.only(_new_addresses(desired, observed)), frozenset()),
        *_routed(present.only(desired.routes), observed.routes),
        *_added(desired.rules, observed.rules),
        *_added(desired.files, observed.files),
        *_added(desired.client_files, observed.client_files),
        *_added(programs, observed.programs),
        *_hooks_stopped(desired, observed),
        *_hooks_started(present.only(desired.hooks), observed),
        *_ended(programs, observed),
        *_removed(desired, observed),
        *_cleared(desired, observed),
        *_deleted(desired.rules, observed.rules),
        *_unrouted(desired.routes, observed.routes),
        *_deleted(desired.addresses, observed.addresses),
        *_deleted(desired.far_ends, observed.far_ends),
        *_deleted(desired.devices, observed.devices),
    ]
    return Plan(tuple(steps), (*desired.warnings, *present.warnings(), *_hook_warning(observed)))


class _Present:
    """Sorts out what needs an interface that is not there."""

    def __init__(self, desired: Desired, observed: Observed) -> None:
        made = [
            device.name
            for device in desired.devices
            if getattr(device, "interface", None) in (None, *observed.links)
        ]
        self._names = {*observed.links, *made}
        self._missing: dict[str, str] = {}

    def only(self, wanted: Mapping[W, str]) -> dict[W, str]:
        found = {}
        for item, about in wanted.items():
            name = getattr(item, "interface", None)
            if name is None or name in self._names:
                found[item] = about
            else:
                self._missing.setdefault(about, name)
        return found

    def warnings(self) -> list[tuple[str, str]]:
        return [
            (about, f"interface {name} does not exist: plug it in, or choose another")
            for about, name in self._missing.items()
        ]


def _added(wanted: Mapping[T, str], present: AbstractSet[T]) -> list[Step]:
    return [Add(item, about) for item, about in wanted.items() if item not in present]


def _deleted(wanted: Mapping[T, str], present: AbstractSet[T]) -> list[Step]:
    return [Delete(item) for item in _in_order(present) if item not in wanted]


def _ended(wanted: Mapping[RunningProgram, str], observed: Observed) -> list[Step]:
    """A program whose arguments changed was replaced by its successor of the same name."""
    names = {program.name for program in wanted}
    return [Delete(p) for p in _in_order(observed.programs) if p.name not in names]


def _removed(desired: Desired, observed: Observed) -> list[Step]:
    bonds = {file.bond_id for file in desired.files}
    return [Delete(f) for f in _in_order(observed.files) if f.bond_id not in bonds]


def _cleared(desired: Desired, observed: Observed) -> list[Step]:
    names = {file.name for file in desired.client_files}
    return [Delete(f) for f in _in_order(observed.client_files) if f.name not in names]


def _in_order(items: Iterable[T]) -> list[T]:
    return sorted(items, key=str)


def _new_addresses(desired: Desired, observed: Observed) -> dict[Address, str]:
    """An address that somebody else put there already is as good as ours; we leave it his."""
    return {
        address: about
        for address, about in desired.addresses.items()
        if address not in observed.addresses
        and (address.interface, address.ip) not in observed.foreign_addresses
    }


# Hooks run between what is added and what is taken away: they see what they are started for, and
# what they are stopped for is still there.
_HOOK_ORDER = {kind: place for place, kind in enumerate(HookKind)}
_NO_RUNNER = "hooks wait: the hook runner does not answer, start `openbond node hooks` as root"


def _hooks_started(wanted: Mapping[Hook, str], observed: Observed) -> list[Step]:
    if observed.hooks is None:
        return []
    started = set(observed.hooks)
    new = [(hook, about) for hook, about in wanted.items() if hook not in started]
    new.sort(key=lambda pair: _HOOK_ORDER[pair[0].kind])
    return [Add(hook, about) for hook, about in new]


def _hooks_stopped(desired: Desired, observed: Observed) -> list[Step]:
    """Return the stops in the reverse order of the starts, whatever started when."""
    stopped = [hook for hook in observed.hooks or () if hook not in desired.hooks]
    stopped.sort(key=lambda hook: _HOOK_ORDER[hook.kind])
    return [Delete(hook, f"{hook.kind} {hook.id}") for hook in reversed(stopped)]


def _hook_warning(observed: Observed) -> list[tuple[str, str]]:
    return [("node", _NO_RUNNER)] if observed.hooks_wait else []


def _routed(wanted: Mapping[Route, str], present: AbstractSet[Route]) -> list[Step]:
    keys = {route.key for route in present}
    return [
        Replace(route, about) if route.key in keys else Add(route, about)
        for route, about in wanted.items()
        if route not in present
    ]


def _unrouted(wanted: Mapping[Route, str], present: AbstractSet[Route]) -> list[Step]:
    keys = {route.key for route in wanted}
    return [Delete(route) for route in _in_order(present) if route.key not in keys]


def _set(wanted: Mapping[Setting, str], observed: Observed) -> list[Step]:
    return [Set(item, about) for item, about in wanted.items() if not _holds(item, observed)]


def _holds(item: Setting, observed: Observed) -> bool:
    if isinstance(item, Sysctl):
        return observed.sysctls.get(item.key) == item.value
    if isinstance(item, Ruleset):
        return observed.ruleset == item
    if isinstance(item, EthernetMode):
        return observed.ethernet_modes.get(item.interface, "auto") == item.mode
    link = observed.links.get(item.interface)
    return link is not None and _link_holds(item, link)


def _link_holds(item: LinkMac | LinkMtu | LinkUp, link: Link) -> bool:
    if isinstance(item, LinkMac):
        return link.mac == item.mac
    if isinstance(item, LinkMtu):
        return link.mtu == item.mtu
    return link.up == item.up
