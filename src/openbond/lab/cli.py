"""`openbond lab …`: a whole bonded-internet operator on one machine, to try and to test."""

import contextlib
import functools
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket
from typing import Annotated, ParamSpec, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.live import Live

from . import life, power
from .chaos.plan import STEPS_MOST
from .chaos.run import run_chaos
from .errors import LabError
from .failover import aggregator_named, watch_aggregators
from .forwarder import inherited, listen_on_loopback
from .layout import SERVER_PORT
from .life import Lab, LabState
from .line import Shape
from .registry import DEFAULT_NAME, known_labs
from .relay import Shapes
from .requirements import check_requirements
from .sites import MORE_SITES, add_site, check_count
from .speed_report import report_speed
from .status import StatusView
from .tour import tour
from .user_namespace import LOOPBACK_VARIABLE, end_keeper_if_idle, enter_user_namespace

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False)

# What follows the host belongs to the command, options included.
AS_TYPED = {"allow_interspersed_args": False, "ignore_unknown_options": True}

Name = Annotated[str, typer.Option(help="Which lab; several may run side by side.")]
Leg = Annotated[str, typer.Argument(help="1, 2 or 3; or dsl, cable, fibre; or eth1 ...")]


def in_sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a LabError into one sentence on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except LabError as trouble:
            typer.echo(str(trouble), err=True)
            raise typer.Exit(1) from trouble

    return wrapped


@app.command()
@in_sentences
def up(
    name: Name = DEFAULT_NAME,
    keep: Annotated[bool, typer.Option("--keep", help="Leave a failed build for a look.")] = False,
    failover: Annotated[
        bool, typer.Option("--failover", help="Check the aggregators, every 2 s.")
    ] = False,
    sites: Annotated[
        int, typer.Option(help="How many; the second in the same space, the third in another.")
    ] = 1,
) -> None:
    """Build a lab: server, two aggregators, a core, three lines, a bonder and a customer."""
    check_count(sites)
    _enter(begins=True)
    begun = time.monotonic()
    try:
        with _steps() as tell:
            lab = life.begin(name, tell)
            life.build(lab, _loopback(), tell, keeps_failed=keep)
            for site in MORE_SITES[: sites - 1]:
                tell(f"Building site {site.number}")
                add_site(lab, site)
            if failover:
                watch_aggregators(lab)
    except BaseException:
        end_keeper_if_idle()
        raise
    console.print(f"[bold green]The bond is up[/] after {time.monotonic() - begun:.0f} s.\n")
    console.print(tour(lab), soft_wrap=True)


@app.command()
@in_sentences
def status(
    name: Name = DEFAULT_NAME,
    once: Annotated[bool, typer.Option("--once", help="Print the table once and end.")] = False,
) -> None:
    """Show the legs live: states, rates, what each line does."""
    _enter()
    lab = Lab.find(name)
    with lab.api() as api:
        view = StatusView(lab, api)
        view.table()
        time.sleep(1)
        if once:
            console.print(view.table())
            return
        with Live(view.table(), console=console) as live, contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)
                live.update(view.table())


@app.command()
@in_sentences
def cut(
    leg: Leg,
    name: Name = DEFAULT_NAME,
    way: Annotated[str, typer.Option(help="both, or only: up, down.")] = "both",
) -> None:
    """Cut a line: nothing passes any more, in one direction or both; nobody is told."""
    _enter()
    if way not in ("both", "up", "down"):
        raise LabError(f"--way is both, up or down, not {way!r}")
    _reshape(
        Lab.find(name), leg, lambda shape, here: msgspec.structs.replace(
            shape, is_cut=shape.is_cut or way in ("both", here)
        )
    )  # fmt: skip
    console.print(f"Line {leg} is cut ({way}). Watch it: openbond lab status")


@app.command()
@in_sentences
def mend(leg: Leg, name: Name = DEFAULT_NAME) -> None:
    """Mend a line that was cut."""
    _enter()
    _reshape(Lab.find(name), leg, lambda shape, _: msgspec.structs.replace(shape, is_cut=False))
    console.print(f"Line {leg} carries again.")


@app.command()
@in_sentences
def shape(
    leg: Leg,
    name: Name = DEFAULT_NAME,
    rate: Annotated[float | None, typer.Option(help="Mbit/s, both ways; 0: no limit.")] = None,
    delay: Annotated[float | None, typer.Option(help="ms, one way.")] = None,
    jitter: Annotated[float | None, typer.Option(help="ms, to either side of the delay.")] = None,
    loss: Annotated[float | None, typer.Option(help="Percent of packets.")] = None,
    mtu: Annotated[int | None, typer.Option(help="Largest IP packet, in silence; 0: any.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="First back to what it was.")] = False,
) -> None:
    """Change what a line is: rate, delay, jitter, loss, path MTU."""
    _enter()
    lab = Lab.find(name)
    line = lab.line(leg)
    wanted = {"delay_ms": delay, "jitter_ms": jitter, "loss_percent": loss, "mtu": mtu}
    check_shape(rate=rate, **{key: value for key, value in wanted.items() if value is not None})
    if reset:
        lab.topology.reset(line)
    if rate is not None:
        lab.topology.set_rates(line, down=rate or None, up=rate or None)
    changes = {key: value for key, value in wanted.items() if value is not None}
    _reshape(lab, leg, lambda shape, _: msgspec.structs.replace(shape, **changes))
    console.print(f"Line {leg} is changed. Watch it: openbond lab status")


@app.command("exec", context_settings=AS_TYPED)
@in_sentences
def execute(
    host: Annotated[str, typer.Argument(help="customer, bonder, agg1, internet, server ...")],
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
    name: Name = DEFAULT_NAME,
) -> None:
    """Run a command on a host of the lab."""
    _enter()
    argv = Lab.find(name).host(host).argv(command)
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606  # an argument list, never shell text


@app.command()
@in_sentences
def speed(
    name: Name = DEFAULT_NAME,
    seconds: Annotated[int, typer.Option(help="For the bond, each way.")] = 8,
    leg_seconds: Annotated[int, typer.Option(help="For each leg, each way.")] = 4,
) -> None:
    """Measure one TCP flow across the bond, and over each leg alone, in both directions."""
    _enter()
    report_speed(Lab.find(name), console, seconds=seconds, leg_seconds=leg_seconds)


@app.command()
@in_sentences
def chaos(
    name: Name = DEFAULT_NAME,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same steps.")] = None,
    steps: Annotated[int, typer.Option(help="How many.", min=1, max=STEPS_MOST)] = 20,
) -> None:
    """Bring trouble over the lines, step by step, and check that the bond bears it."""
    _enter()
    lab = Lab.find(name)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    console.print(f"seed {chosen}, {steps} steps; again: openbond lab chaos --seed {chosen}")
    with lab.api() as api, tempfile.TemporaryDirectory(prefix="openbond-chaos") as place:
        report = run_chaos(
            lab, api, Path(place), seed=chosen, steps=steps,
            tell=lambda words: console.print(words, soft_wrap=True),
        )  # fmt: skip
    console.print(
        f"seed {chosen}: longest gap {report.longest_gap:.2f} s, "
        f"longest way back {report.longest_recovery:.2f} s, "
        f"{len(report.violations)} things not as they must be"
    )
    if report.violations:
        raise typer.Exit(2)


@app.command()
@in_sentences
def reboot(
    host: Annotated[str, typer.Argument(help="bonder, agg1 or agg2.")], name: Name = DEFAULT_NAME
) -> None:
    """Cut a node's power and boot it again; it comes back from its last-good config."""
    _enter()
    lab = Lab.find(name)
    power.cut_power(lab, host)
    power.boot(lab, host)
    console.print(f"{host} boots. Watch it: openbond lab status")


@app.command()
@in_sentences
def kill(
    kind: Annotated[str, typer.Argument(help="aggregator")],
    host: Annotated[str, typer.Argument(help="agg1 or agg2.")],
    name: Name = DEFAULT_NAME,
) -> None:
    """Cut an aggregator's power and leave it so; its bonds move if it is checked."""
    _enter()
    lab = Lab.find(name)
    power.cut_power(lab, aggregator_named(kind, host))
    console.print(
        f"{host} is dead. With failover_monitoring on, its bonds move after three checks (2 s "
        f"apart). Bring it back: openbond lab revive aggregator {host}"
    )


@app.command()
@in_sentences
def revive(
    kind: Annotated[str, typer.Argument(help="aggregator")],
    host: Annotated[str, typer.Argument(help="agg1 or agg2.")],
    name: Name = DEFAULT_NAME,
) -> None:
    """Boot an aggregator that was killed. No bond moves back by itself."""
    _enter()
    lab = Lab.find(name)
    power.boot(lab, aggregator_named(kind, host))
    console.print(f"{host} boots. Restore a bond with POST /api/v3/bonds/1/restore_to_primary_agg/")


@app.command()
@in_sentences
def down(name: Name = DEFAULT_NAME) -> None:
    """End a lab; nothing of it remains."""
    _enter()
    lab = Lab(name)
    was = lab.state()
    lab.end()
    end_keeper_if_idle()
    words = "There was no lab" if was is LabState.ABSENT else "Ended and removed the lab"
    console.print(f"{words} {name}.")


@app.command("list")
@in_sentences
def list_labs() -> None:
    """List the labs on this machine."""
    _enter()
    names = known_labs()
    for known in names:
        lab = Lab(known)
        record = lab.directory.read()
        console.print(f"{known}  {lab.state().value}  {record.url if record else ''}")
    if not names:
        console.print("There is no lab. Start one with: openbond lab up")


def check_shape(**wanted: float | None) -> None:
    """Raise LabError for what no line can be."""
    limits = {"rate": 100_000, "delay_ms": 10_000, "jitter_ms": 10_000, "loss_percent": 100,
              "mtu": 65_535}  # fmt: skip
    for key, value in wanted.items():
        if value is not None and not 0 <= value <= limits[key]:
            option = key.removesuffix("_ms").removesuffix("_percent")
            raise LabError(f"--{option} is from 0 to {limits[key]}, not {value:g}")
    if 0 < (wanted.get("mtu") or 0) < 576:
        raise LabError("--mtu is 576 or more (RFC 791), or 0 for any")


def _reshape(lab: Lab, leg: str, change: Callable[[Shape, str], Shape]) -> None:
    relay = lab.topology.relay(lab.line(leg))
    shapes = relay.status().shapes
    relay.set_shapes(Shapes(up=change(shapes.up, "up"), down=change(shapes.down, "down")))


def _enter(*, begins: bool = False) -> None:
    check_requirements()
    enter_user_namespace(begins=begins)


def _loopback() -> socket:
    """Return the listening socket on the machine's loopback, made here or before we came inside."""
    number = os.environ.pop(LOOPBACK_VARIABLE, "")
    return inherited(int(number)) if number else listen_on_loopback(SERVER_PORT)


@contextlib.contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Show the step in progress with a spinner, and each finished one with its time."""
    begun = [("", 0.0)]

    def finish() -> None:
        words, at = begun[0]
        if words:
            console.print(f"  [green]done[/] {words} [dim]({time.monotonic() - at:.1f} s)[/]")

    with console.status("...") as spinner:

        def tell(words: str) -> None:
            finish()
            begun[0] = (words, time.monotonic())
            spinner.update(words)

        yield tell
        finish()
