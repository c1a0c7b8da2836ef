"""`openbond server simulate-fleet`: nodes without machines, to load a server with."""

import time
from typing import Annotated

import typer

from openbond.lab.errors import LabError
from openbond.server.cli.state import StateOption, chosen_state, explained, made_state, use_state

from .fleet import Fleet, server_at
from .run import Plan, make_fleet, play
from .seen import at_share

FOR_EVER = 10 * 365 * 86_400.0
TOLD_EVERY = 10.0


def simulate_fleet(
    nodes: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many, aggregators among them.")
    ],
    url: Annotated[str, typer.Option(help="Where the server listens.")] = "https://127.0.0.1:8443",
    interval: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds between two reports of a kind.")
    ] = 60.0,
    minutes: Annotated[
        float, typer.Option(min=0, help="How long once all are there; 0: until interrupted.")
    ] = 0.0,
    state: StateOption = None,
) -> None:
    """Load a running server with simulated nodes: polls that are held, states and metrics.

    Gives the server's database bonds with three legs each, in a space of their own. Only for a
    server that serves no other nodes; --state is that server's directory.
    """
    use_state(state)
    with explained():
        directory = made_state()
    plan = Plan(
        interval=interval,
        ramp=interval,
        settle=0.0,
        watch=minutes * 60 or FOR_EVER,
    )
    try:
        server = server_at(url, chosen_state().authority / "ca.pem")
        typer.echo(f"making {nodes:,} nodes", err=True)
        roster = make_fleet(directory.root, nodes)
        play(roster, server, plan, tell=_Telling().tell, begin=_whole, end=_last)
    except LabError as trouble:
        typer.echo(str(trouble), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("the fleet is gone; its rows stay in the server", err=True)


class _Telling:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, fleet: Fleet) -> None:
        if time.monotonic() - self._last >= TOLD_EVERY:
            self._last = time.monotonic()
            typer.echo(words_of(fleet), err=True)


def words_of(fleet: Fleet) -> str:
    """Return one line about what a fleet has seen since the last `begin`."""
    seen = fleet.seen
    parts = [
        f"{seen.held:,} of {len(fleet.roster.members):,} polls held",
        f"{seen.reports:,} reports stored, {seen.waiting:,} waiting",
        f"lag {at_share(seen.lags, 0.5):.2f} s, at most {max(seen.lags, default=0.0):.2f}",
    ]
    parts += [f"{count} times {text}" for text, count in seen.failures.most_common(1)]
    return "; ".join(parts)


def _whole(fleet: Fleet) -> None:
    typer.echo("all nodes are there", err=True)


def _last(fleet: Fleet) -> None:
    typer.echo(words_of(fleet))
