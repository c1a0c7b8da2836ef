"""`openbond node …`: enrol, run and ask the programs of one node.

Commands that carry much (HTTPS, netlink, the tunnel) import it when they are asked for: `ping` must
answer within 2 s on a slow machine.
"""

import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from openbond.node import clock, store
from openbond.node.agent.door import Fetch, Ping, Question, Status, StatusAnswer, ask_agent
from openbond.node.errors import NodeError, NotPrivileged
from openbond.node.lines import NoAnswer
from openbond.node.locks import held
from openbond.node.logs import configure_logs
from openbond.node.paths import Paths
from openbond.node.programs import Program
from openbond.node.status_lines import status_lines
from openbond.node.supervisor.supervisor import Supervisor

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Root = Annotated[Path, typer.Option(help="All files of this node lie below this directory.")]
HERE = Path("/")
# Site pairs ask `ping` and must have an answer within 2 s (behaviour 1.2).
ANSWER_WITHIN_S = 1.8
# sockaddr_un holds 107; a bond's socket may be a little longer than the supervisor's.
LONGEST_SOCKET = 100


def run(work: Coroutine[None, None, T]) -> T:
    with _errors_in_words():
        return asyncio.run(work)


@contextmanager
def _errors_in_words() -> Iterator[None]:
    """Make of an error that an operator can mend one sentence and its exit code."""
    try:
        yield
    except NodeError as error:
        raise fail(error) from error
    except PermissionError as refused:
        raise fail(
            NotPrivileged(
                f"{refused.filename or refused} may not be touched: run `openbond node` as root, "
                "or give --root a directory of your own."
            )
        ) from refused


def _heavy(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a room that is expensive to import."""
    found: Callable[..., Any] = getattr(importlib.import_module(f"openbond.node.{module}"), name)
    return found


def _paths(root: Path) -> Paths:
    """Return the node's paths below a root. Exits when the kernel could not take its sockets."""
    paths = Paths(root.absolute())
    if len(str(paths.supervisor_socket)) > LONGEST_SOCKET:
        raise fail(NodeError(f"--root {root} is too long a path: use one of at most 60 letters."))
    return paths


def fail(error: NodeError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(error.exit_code)


@app.command()
def enroll(
    server: Annotated[str, typer.Option(help="HOST:PORT of the management server.")],
    key: Annotated[str, typer.Option(help="The node key, from the bond or the aggregator.")],
    ca: Annotated[
        Path | None, typer.Option(help="The server's CA certificate, a PEM file.")
    ] = None,
    ca_fingerprint: Annotated[
        str, typer.Option(help="SHA-256 of the server's CA certificate, as the server prints it.")
    ] = "",
    root: Root = HERE,
) -> None:
    """Make this machine the bonder or aggregator that the node key stands for."""
    work = _heavy("enrolment", "enrol_by_hand")(
        _paths(root), server=server, key=key, ca_file=ca, ca_fingerprint=ca_fingerprint
    )
    identity = run(work)
    typer.echo(f"Enrolled as node {identity.node_id}. Start `openbond node supervisor` now.")


@app.command()
def supervisor(
    root: Root = HERE,
    agent: Annotated[
        bool, typer.Option(help="Keep the agent and the hook runner running too.")
    ] = True,
    log_directory: Annotated[
        Path | None, typer.Option(help="Where programs write; default ROOT/var/log/bonding.")
    ] = None,
) -> None:
    """Keep this node's programs running: agent, tunnel daemons, DHCP clients."""
    paths = _paths(root)
    own = [own_program(paths, name) for name in ("agent", "hooks")] if agent else []
    logs = log_directory or paths.root / "var" / "log" / "bonding"
    configure_logs()
    run(_supervise(paths, own, logs))


async def _supervise(paths: Paths, own: list[Program], logs: Path) -> None:
    with held(paths.supervisor_lock, "supervisor"):
        store.make_directory(paths.programs)
        await Supervisor(paths, own, logs).run()


def own_program(paths: Paths, name: str) -> Program:
    """Return a program that every node has, `agent` or `hooks`."""
    argv = [sys.executable, "-m", "openbond.cli", "node", name, "--root", str(paths.root)]
    return Program(name=name, argv=argv)


@app.command()
def agent(root: Root = HERE) -> None:
    """Fetch the config, bring the machine to it, report; needs CAP_NET_ADMIN."""
    configure_logs()
    run(_heavy("agent.start", "run_agent")(_paths(root)))


@app.command()
def hooks(root: Root = HERE) -> None:
    """Start the operator's hooks when the agent asks for it; needs root."""
    configure_logs()
    run(_run_hooks(_paths(root)))


async def _run_hooks(paths: Paths) -> None:
    with held(paths.hook_lock, "hook runner"):
        await _heavy("hooks.runner", "HookRunner")(paths).run()


@app.command()
def tunnel(
    bond: Annotated[int, typer.Option(help="The bond's id.")],
    root: Root = HERE,
    plain: Annotated[
        bool, typer.Option(help="No offloads, one packet a datagram: to compare.")
    ] = False,
    bundle: Annotated[
        bool, typer.Option(help="With --plain: small packets share all the same.")
    ] = False,
) -> None:
    """Carry one bond's packets, from the settings that the agent wrote."""
    configure_logs()
    with _errors_in_words():
        _heavy("tunnel_daemon", "run")(
            root.absolute(), bond, plain=plain, bundles=bundle or not plain
        )


@app.command()
def status(root: Root = HERE) -> None:
    """Print revision, state of each leg, contact with the server and the last error."""
    answer = _ask(root, Status())
    for line in status_lines(answer, now_ms=clock.wall_ms()):
        typer.echo(line)


@app.command()
def ping(root: Root = HERE) -> None:
    """Exit with 0 while all programs of the node are alive, else with 1; within 2 s."""
    silent = _ask(root, Ping()).silent
    if silent:
        typer.echo(f"Silent: {', '.join(silent)}.", err=True)
        raise typer.Exit(1)


@app.command()
def fetch(root: Root = HERE) -> None:
    """Fetch and apply the whole config now."""
    _ask(root, Fetch())
    typer.echo("Asked the agent to fetch; see `openbond node status`.")


def _ask(root: Path, question: Question) -> StatusAnswer:
    socket_path = _paths(root).agent_socket
    try:
        return asyncio.run(ask_agent(socket_path, question, within_s=ANSWER_WITHIN_S))
    except NoAnswer as silence:
        typer.echo(
            f"The agent does not answer at {socket_path} ({silence}): start it with "
            "`openbond node supervisor`.",
            err=True,
        )
        raise typer.Exit(1) from silence
