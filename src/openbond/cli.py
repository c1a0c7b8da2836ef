"""The one command, `openbond`: it joins the command groups of the wings that are installed."""

import importlib
import sys
from collections.abc import Callable

import typer

# A node is installed without the server's packages and the other way round, so a wing whose extra
# is missing is left out and said so, instead of breaking the rest.
GROUPS = {
    "server": ("openbond.server.cli", "the management server"),
    "node": ("openbond.node.cli", "a bonder or an aggregator: enrol, agent, tunnel, status"),
    "lab": ("openbond.lab.cli", "a whole operator in network namespaces on this machine"),
    "bench": ("openbond.lab.bench.cli", "measure: ratios taken in one run"),
}

# Commands that stand in the group of one wing and are made of several.
JOINED = {"server": {"simulate-fleet": ("openbond.lab.simulated.cli", "simulate_fleet")}}


def main() -> None:
    app = typer.Typer(
        name="openbond",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # Only the group that is asked for is imported: a tunnel daemon shall not carry Django.
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    for name in [asked] if asked in GROUPS else GROUPS:
        _add(app, name, *GROUPS[name])
    app.callback()(_nothing)
    app()


def _nothing() -> None:
    """The open platform for bonded internet."""


def _add(app: typer.Typer, name: str, module: str, words: str) -> None:
    try:
        group = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("openbond"):
            return
        app.command(name, help=f"{words} (not installed: pip install 'openbond[{name}]')")(
            _missing(name, missing.name or module)
        )
    else:
        for command, (place, function) in JOINED.get(name, {}).items():
            _join(group.app, command, place, function)
        app.add_typer(group.app, name=name, help=words)


def _join(group: typer.Typer, command: str, place: str, function: str) -> None:
    try:
        found = importlib.import_module(place)
    except ModuleNotFoundError:
        return  # the wing that it needs is not installed
    group.command(command)(getattr(found, function))


def _missing(name: str, package: str) -> Callable[[], None]:
    def explain() -> None:
        typer.echo(
            f"`openbond {name}` needs the package {package!r}. "
            f"Install it with: pip install 'openbond[{name}]'",
            err=True,
        )
        raise typer.Exit(1)

    return explain


if __name__ == "__main__":
    main()
