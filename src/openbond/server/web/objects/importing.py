"""Bonds with legs and addresses out of a CSV file: read strictly, tried and made as a whole.

One line is one leg or one connected IP, or one of each, with its bond; only the first line of a
bond need say more of it than its name. A line with neither is a bond without legs.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from openbond.server.api.in_process import Answer, id_of_new, opened, place_of
from openbond.server.api.links import LEG_PATHS
from openbond.server.api.resource import Resource
from openbond.server.spaces.viewer import Viewer

from .filters import named

MOST_BYTES = 256 * 1024
MOST_LINES = 300
# What a word in a column was found to name: the id, or why it names nothing.
Seen = dict[tuple[str, str], int | str]
# Column → field of the bond; relations by name, `name #id` or id.
BOND = {
    "bond": "name",
    "space": "space",
    "aggregator": "aggregator",
    "secondary_aggregator": "secondary_aggregator",
    "qos_profile": "qos_profile",
    "circuit_id": "circuit_id",
    "product": "product",
    "note": "note",
}
RELATIONS = {
    "space": "spaces",
    "aggregator": "aggregators",
    "secondary_aggregator": "aggregators",
    "qos_profile": "qos",
    "leg_provider_profile": "mobileproviderprofiles",
}
LEG = {
    "leg_interface": "interface",
    "leg_down_mbit": "down_speed",
    "leg_up_mbit": "up_speed",
    "leg_link_mode": "link_mode",
    "leg_failover": "failover",
    "leg_ip": "ip",
    "leg_netmask": "netmask",
    "leg_gateway": "gateway",
    "leg_username": "username",
    "leg_password": "password",
    "leg_provider_profile": "provider_profile",
    "leg_modem": "modem",
    "leg_note": "note",
}
CONNECTED_IP = {
    "connected_interface": "interface",
    "connected_ip": "ip",
    "connected_netmask": "netmask",
    "connected_note": "note",
}
TYPE = "leg_type"
COLUMNS = (*BOND, TYPE, *LEG, *CONNECTED_IP)
REQUIRED = ("bond", "aggregator")
EXAMPLE = (
    "bond,aggregator,circuit_id,leg_type,leg_interface,leg_down_mbit,leg_up_mbit,leg_ip,"
    "leg_netmask,leg_gateway,connected_interface,connected_ip\n"
    "Bakery Main Street,agg-1,C-1001,dhcp,eth1,50,10,,,,eth0,10.20.0.1/24\n"
    "Bakery Main Street,,,static,eth2,100,40,198.51.100.6,30,198.51.100.5,,\n"
)

TOO_LARGE = f"The file is larger than {MOST_BYTES // 1024} KiB. Cut it in parts."
NOT_UTF8 = "The file is not UTF-8 text. In a spreadsheet, save it as 'CSV UTF-8'."
NOT_CSV = "The file is not CSV: {why}."
EMPTY = "The file has no lines below its head."
TOO_MANY = f"The file has more than {MOST_LINES} lines. Cut it in parts."
UNKNOWN = "There is no column {name!r}. Columns may be: " + ", ".join(COLUMNS) + "."
TWICE = "The column {name!r} is there twice."
MISSING = "The column {name!r} is missing."
NO_NAME = "A name is needed: it tells which lines are one bond."
DIFFERS = "The first line of this bond (line {first}) says {value!r}."
NO_TYPE = "Use one of: " + ", ".join(LEG_PATHS) + "."
WITHOUT_TYPE = "The leg has no type; use one of: " + ", ".join(LEG_PATHS) + "."
LONG_LINE = "The line has more cells than the head."


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: in which line (0 is the file), in which column ("" is all of them)."""

    line: int
    column: str
    words: str


@dataclass(slots=True)
class Line:
    number: int
    cells: dict[str, str]


@dataclass(slots=True)
class BondLines:
    """The lines of one bond."""

    name: str
    lines: list[Line] = field(default_factory=list)

    @property
    def legs(self) -> list[Line]:
        return [line for line in self.lines if line.cells.get(TYPE)]

    @property
    def connected_ips(self) -> list[Line]:
        return [line for line in self.lines if any(map(line.cells.get, CONNECTED_IP))]

    @property
    def parts(self) -> Iterator[tuple[str, Line, Mapping[str, str]]]:
        """Yield where the API makes each leg and address, its line, and column → field."""
        for line in self.legs:
            yield f"bonds/<id:bond_id>/{LEG_PATHS[line.cells[TYPE]]}/", line, LEG
        for line in self.connected_ips:
            yield "bonds/<id:bond_id>/connected_ips/", line, CONNECTED_IP


@dataclass(slots=True)
class Plan:
    """What a file says, or what is wrong with it."""

    bonds: list[BondLines] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def count_of_legs(self) -> int:
        return sum(len(bond.legs) for bond in self.bonds)

    @property
    def count_of_connected_ips(self) -> int:
        return sum(len(bond.connected_ips) for bond in self.bonds)


def decoded(content: bytes) -> str | Fault:
    """Return the text of a file that was sent, or why it is none."""
    if len(content) > MOST_BYTES:
        return Fault(0, "", TOO_LARGE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Fault(0, "", NOT_UTF8)
    if "\0" in text:
        return Fault(0, "", NOT_CSV.format(why="it has null characters"))
    return text


def plan_of(text: str) -> Plan:
    """Read a file; faults of its form are told without asking the database anything."""
    plan = Plan()
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        plan.faults += _faults_of_head(head)
        if not plan.faults:
            _read(plan, reader, head)
    except csv.Error as fault:
        plan.faults.append(Fault(reader.line_num, "", NOT_CSV.format(why=fault)))
    if not plan.faults and not plan.bonds:
        plan.faults.append(Fault(0, "", EMPTY))
    return plan


def _faults_of_head(head: list[str]) -> list[Fault]:
    unknown = [Fault(1, name, UNKNOWN.format(name=name)) for name in head if name not in COLUMNS]
    twice = [Fault(1, name, TWICE.format(name=name)) for name in COLUMNS if head.count(name) > 1]
    missing = [Fault(1, name, MISSING.format(name=name)) for name in REQUIRED if name not in head]
    return [*unknown, *twice, *missing]


def _read(plan: Plan, reader: Any, head: list[str]) -> None:
    found: dict[str, BondLines] = {}
    for count, cells in enumerate(reader):
        if count >= MOST_LINES:
            plan.faults.append(Fault(0, "", TOO_MANY))
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(head):
            plan.faults.append(Fault(reader.line_num, "", LONG_LINE))
            continue
        texts = (cell.strip() for cell in cells)
        line = Line(reader.line_num, dict(zip(head, texts, strict=False)))
        plan.faults += _faults_of_line(line)
        name = line.cells.get("bond", "")
        if name:
            found.setdefault(name.casefold(), BondLines(name)).lines.append(line)
    plan.bonds = list(found.values())
    for bond in plan.bonds:
        plan.faults += _differing(bond)


def _faults_of_line(line: Line) -> Iterator[Fault]:
    if not line.cells.get("bond"):
        yield Fault(line.number, "bond", NO_NAME)
    kind = line.cells.get(TYPE, "")
    if kind and kind not in LEG_PATHS:
        yield Fault(line.number, TYPE, NO_TYPE)
    if not kind and any(line.cells.get(name) for name in LEG):
        yield Fault(line.number, TYPE, WITHOUT_TYPE)


def _differing(bond: BondLines) -> Iterator[Fault]:
    """Lines of one bond that say different things of it."""
    first = bond.lines[0]
    for line in bond.lines[1:]:
        for name in BOND:
            said, meant = line.cells.get(name, ""), first.cells.get(name, "")
            if name != "bond" and said and said != meant:
                words = DIFFERS.format(first=first.number, value=meant)
                yield Fault(line.number, name, words)


def tried(plan: Plan, viewer: Viewer, *, space: str = "") -> list[Fault]:
    """Return what the API has against the bonds of a file and their parts, by line and column.

    Each bond is made and taken back, one after the other, so that other writers wait for none long.
    """
    seen: Seen = {}
    faults: list[Fault] = []
    for bond in plan.bonds:
        with transaction.atomic():
            faults += _made_bond(bond, viewer, seen, space)
            transaction.set_rollback(True)
    return faults


@transaction.atomic
def made(plan: Plan, viewer: Viewer, *, space: str = "") -> list[Fault]:
    """Make every bond with its parts; if anything is refused make nothing, and return what it was.

    `space`: where bonds without a space of their own go.
    """
    seen: Seen = {}
    faults: list[Fault] = []
    for bond in plan.bonds:
        faults += _made_bond(bond, viewer, seen, space)
    if faults:
        transaction.set_rollback(True)
    return faults


def _made_bond(bond: BondLines, viewer: Viewer, seen: Seen, space: str) -> list[Fault]:
    first = bond.lines[0]
    cells = {**first.cells, "space": first.cells.get("space") or space}
    body, faults = _body(first.number, cells, BOND, viewer, seen)
    if faults:
        return faults
    bond_id = _new("bonds/", viewer, {}, body)
    if isinstance(bond_id, Answer):
        return _told(bond_id, first.number, BOND)
    for route, line, columns in bond.parts:
        body, wrong = _body(line.number, line.cells, columns, viewer, seen)
        faults += wrong
        part_id = None if wrong else _new(route, viewer, {"bond_id": bond_id}, body)
        faults += _told(part_id, line.number, columns) if isinstance(part_id, Answer) else []
    return faults


def _body(
    number: int,
    cells: Mapping[str, str],
    columns: Mapping[str, str],
    viewer: Viewer,
    seen: Seen,
) -> tuple[dict[str, object], list[Fault]]:
    body: dict[str, object] = {}
    faults = []
    for column, name in columns.items():
        text = cells.get(column, "")
        if not text:
            continue
        source = RELATIONS.get(column)
        if source is None:
            body[name] = text
            continue
        key = (source, text)
        if key not in seen:
            seen[key] = named(viewer, source, text)
        found = seen[key]
        if isinstance(found, str):
            faults.append(Fault(number, column, found))
        body[name] = found
    return body, faults


def _new(
    route: str, viewer: Viewer, path: Mapping[str, object], body: Mapping[str, object]
) -> int | Answer:
    place = place_of(route)
    door = opened(place.view, viewer, handlers=place.of_list, path=path, sent=body)
    if not isinstance(door, Resource):
        raise TypeError(f"{route} is only read")
    return id_of_new(door)


def _told(answer: Answer, number: int, columns: Mapping[str, str]) -> list[Fault]:
    names = {name: column for column, name in columns.items()}
    if not answer.faults:
        return [Fault(number, "", answer.words)]
    return [
        Fault(number, names.get(name, ""), text if name in names else f"{name}: {text}")
        for name, texts in answer.faults.items()
        for text in texts
    ]
