"""What the supervisor keeps running, and what it answers: files and lines both sides know.

DIR/run/bonding/programs/<name>.json holds a Program. DIR/run/bonding/supervisor.sock takes one
request per line and answers each with one line.
"""

import re
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from . import store

# A name becomes a file name and a log file's name.
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Program(Struct, frozen=True, kw_only=True):
    name: str
    argv: list[str]


class Reload(Struct, frozen=True, kw_only=True, tag="reload"):
    """Read the program files again: start what is new, stop what is gone."""


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    pass


class Restart(Struct, frozen=True, kw_only=True, tag="restart"):
    """Kill one program, because it does not answer any more; it comes back by the usual rule."""

    name: str
    reason: str


class Signal(Struct, frozen=True, kw_only=True, tag="signal"):
    """Send one program a signal, e.g. SIGUSR1 to a DHCP client that shall renew."""

    name: str
    number: int


Request: TypeAlias = Reload | Status | Restart | Signal


_request_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


class ProgramStatus(Struct, frozen=True, kw_only=True):
    name: str
    pid: int  # 0 while it does not run
    restarts: int = 0
    reason: str = ""  # why it ended last


class ProgramsAnswer(Struct, frozen=True, kw_only=True):
    programs: list[ProgramStatus]
    refused: str = ""


def program_path(directory: Path, name: str) -> Path:
    return directory / f"{name}.json"


def read_programs(directory: Path) -> dict[str, Program]:
    """Return the programs that shall run, by name; damaged files are left out."""
    found = {}
    for path in sorted(directory.glob("*.json")) if directory.is_dir() else []:
        try:
            program = store.read_value(path, Program)
        except store.Damaged:
            continue
        if program and program.argv and NAME.fullmatch(program.name):
            found[program.name] = program
    return found


def write_program(directory: Path, program: Program) -> None:
    store.write_value(program_path(directory, program.name), program)


def remove_program(directory: Path, name: str) -> None:
    store.remove(program_path(directory, name))


def encode_line(value: Request | ProgramsAnswer) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return _request_decoder.decode(line)


def decode_answer(line: bytes) -> ProgramsAnswer:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=ProgramsAnswer)
