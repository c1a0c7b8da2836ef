"""Eight processes write one bond at once: through our services, then the same statements bare."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import cast

import msgspec
from django.db import DatabaseError, connection
from msgspec import Struct

from openbond.lab.bench.rows import Row, Say
from openbond.lab.errors import LabError
from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import BondChanges, update_bond
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry

from .asking import Statement, kept, raw
from .rows_in import fill_bonds

SECONDS = float(os.environ.get("OPENBOND_BENCH_SECONDS", "10"))
# One field a process, all of the same bond: what one writes no other may undo.
FIELDS = (
    "note",
    "circuit_id",
    "product",
    "reorder_max_hold",
    "flap_threshold",
    "flap_window",
    "ping_timeout",
    "packet_loss_threshold_permille",
)
TEXTS = frozenset({"note", "circuit_id", "product"})


class Told(Struct):
    """What a writer did: writes, the last value, and what went wrong."""

    writes: int
    last: str = ""
    errors: list[str] = []


def fill(say: Say) -> None:
    say("writers: an installation")
    fill_bonds([1], 1)


def measure(say: Say) -> list[Row]:
    audited = AuditEntry.objects.count()
    say(f"{len(FIELDS)} processes write through our services for {SECONDS:g} s")
    ours = _run("services")
    bond = Bond.objects.get()
    lost = [name for name, told in zip(FIELDS, ours, strict=True) if _lost(bond, name, told)]
    writes = sum(told.writes for told in ours)
    # Every write leaves its entry, so one that was undone or counted twice would show here too.
    unaudited = writes - (AuditEntry.objects.count() - audited)
    errors = [error for told in ours for error in told.errors]
    say(f"{len(FIELDS)} processes run the same statements for {SECONDS:g} s")
    bare = sum(told.writes for told in _run("statements"))
    return [
        Row(
            name="8 writers, errors",
            value=len(errors),
            unit="",
            most=0,
            detail=errors[0][:80] if errors else f"{writes:,} writes",
        ),
        Row(
            name="8 writers, lost updates",
            value=len(lost) + abs(unaudited),
            unit="",
            most=0,
            detail=", ".join(lost),
        ),
        Row(
            name="8 writers, rate",
            value=writes / max(bare, 1),
            unit="x bare statements",
            least=0.8,
            detail=f"{writes / SECONDS:,.0f} against {bare / SECONDS:,.0f} writes/s",
        ),
    ]


def write(way: str, place: str) -> None:
    """Be one of the writers: say `ready`, wait for a line, then write until the time is up."""
    number = int(place)
    write_once = _by_services(number) if way == "services" else _by_statements(number)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.monotonic() + SECONDS
    told = Told(writes=0)
    while time.monotonic() < end:
        try:
            told.last = write_once(told.writes)
        except DatabaseError as error:
            told.errors.append(str(error))
        else:
            told.writes += 1
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


def _by_services(number: int) -> Callable[[int], str]:
    name, bond = FIELDS[number], Bond.objects.get()

    def write_once(count: int) -> str:
        value = _value(name, count)
        update_bond(by=SERVER, bond=bond, **_changes(name, value))
        return str(value)

    return write_once


def _by_statements(number: int) -> Callable[[int], str]:
    """Return a writer that runs what one write of our services ran, by the driver below Django."""
    name, bond = FIELDS[number], Bond.objects.get()
    with kept() as ran:
        update_bond(by=SERVER, bond=bond, **_changes(name, _value(name, 77)))
    statements = raw([one for one in ran if not _is_frame(one)])
    driver = connection.connection
    begin = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"

    def write_once(count: int) -> str:
        cursor = driver.cursor()
        cursor.execute(begin)
        for sql, params in statements:
            cursor.execute(sql, params)
            if cursor.description:
                cursor.fetchall()
        cursor.execute("COMMIT")
        return str(count)

    return write_once


def _changes(name: str, value: str | int) -> BondChanges:
    """Return the change of one field, whose name is known only at run time."""
    return cast(BondChanges, {name: value})


def _is_frame(statement: Statement) -> bool:
    return statement[0].split()[0] in ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def _value(name: str, count: int) -> str | int:
    # From 10 to 99: within the limits of every field, and different from the one before.
    if name in TEXTS:
        return f"write {count}"
    return {"ping_timeout": 1000, "flap_window": 10}.get(name, 10) + count % 89


def _lost(bond: Bond, name: str, told: Told) -> bool:
    return str(getattr(bond, name)) != told.last


def _run(way: str) -> list[Told]:
    argv = [sys.executable, "-m", "openbond.lab.bench.server", "writers", "write", way]
    children = [
        subprocess.Popen(
            [*argv, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for place in range(len(FIELDS))
    ]
    try:
        for child in children:
            _line_of(child)
        for child in children:
            _start(child)
        return [msgspec.json.decode(_line_of(child), type=Told) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()


def _line_of(child: subprocess.Popen[str]) -> str:
    """Return the next line that a writer says. Raises LabError if it ended instead."""
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        raise LabError("a writer ended before its time")
    return line


def _start(child: subprocess.Popen[str]) -> None:
    if child.stdin:
        child.stdin.write("go\n")
        child.stdin.flush()
