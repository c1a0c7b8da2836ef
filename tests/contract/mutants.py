"""Takes single bricks out of the wall, in the source, to see whether the wall's walk falls in.

Two kinds. In a selector, one call of `viewer.in_reach(…)` or `viewer.in_reach_or(…)` is made to
hold for every space: the function's source is parsed, changed and compiled again, and its code put
in place of its own, wherever the function was imported to. In a view, the permission codes, or the
check that a shared object is not written, are taken off the class.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType

from django.urls import resolve

from openbond.server.api.resource import Resource
from openbond.server.api.v3 import parents
from openbond.server.api.v3.users import Users
from openbond.server.bonds.selectors import bonds, routing
from openbond.server.fleet import selectors as fleet
from openbond.server.ipam import selectors as ipam
from openbond.server.measurement.selectors import tests as measuring
from openbond.server.qos import selectors as qos
from openbond.server.spaces import selectors as spaces
from openbond.server.spaces.viewer import EVERYTHING, Viewer
from tests.contract.uri_table import rows

MODULES = [parents, bonds, routing, fleet, ipam, measuring, qos, spaces]
SCOPES = {"in_reach", "in_reach_or"}
WITHOUT = "_without_the_wall"


@dataclass(frozen=True)
class Mutant:
    """What is taken out, and the walks that are tried first: the order saves time only."""

    name: str
    walks: tuple[str, ...]
    applied: Callable[[], AbstractContextManager[None]]


def scope_mutants() -> list[Mutant]:
    """One for each call in the selectors that narrows rows to a reach."""
    return [
        Mutant(
            name=f"{module.__name__.removeprefix('openbond.server.')}.{name} call {number}",
            walks=("arguments",) if name == "if_in_reach" else ("noticed", "child"),
            applied=partial(without_scope, function, number),
        )
        for module in MODULES
        for name, function in sorted(vars(module).items())
        if isinstance(function, FunctionType) and function.__module__ == module.__name__
        for number in range(len(scopes_in(tree_of(function))))
    ]


def code_mutants() -> list[Mutant]:
    """One for each view that has permission codes."""
    return [
        Mutant(
            name=f"codes of {view.__name__}",
            walks=("barred",),
            applied=partial(replaced, view, "codes", {}),
        )
        for view in views()
        if vars(view).get("codes")
    ]


def sharing_mutants() -> list[Mutant]:
    """One for each view that lets shared objects be read only, and one for what it keeps back."""
    # That of users is about codes and not about sharing: tests/api/test_users.py asks for it.
    checked = [view for view in views() if "check_writable" in vars(view) and view is not Users]
    unchecked = [
        Mutant(
            name=f"check_writable of {view.__name__}",
            # A delegation is not shared: its holder stands beside its giver.
            walks=("above",) if view.__name__ == "IpAllocations" else ("child",),
            applied=partial(replaced, view, "check_writable", Resource.check_writable),
        )
        for view in checked
    ]
    told = Mutant(
        name="what is shared is shown whole",
        walks=("child",),
        applied=lambda: replaced(Viewer, "reaches", lambda viewer, space_id: True),
    )
    return [*unchecked, told]


def views() -> list[type]:
    """The classes that answer the table's rows."""
    found = {resolve(row.path).func.cls for row in rows()}  # type: ignore[attr-defined]
    return sorted(found, key=lambda view: view.__name__)


@contextmanager
def replaced(owner: type, name: str, value: object) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def without_scope(function: FunctionType, number: int) -> Iterator[None]:
    tree = tree_of(function)
    scopes_in(tree)[number].func = ast.Name(WITHOUT, ast.Load())
    before = function.__code__
    function.__globals__[WITHOUT] = lambda *args, **options: EVERYTHING
    function.__code__ = code_in(compile(ast.fix_missing_locations(tree), __file__, "exec"))
    try:
        yield
    finally:
        function.__code__ = before
        del function.__globals__[WITHOUT]


def tree_of(function: FunctionType) -> ast.Module:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def scopes_in(tree: ast.Module) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SCOPES
    ]


def code_in(module: CodeType) -> CodeType:
    return next(part for part in module.co_consts if isinstance(part, CodeType))
