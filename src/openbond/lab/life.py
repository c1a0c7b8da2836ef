"""A lab's life: built, found again, ended; and what remains of a killed one cleaned away."""

import secrets
from collections.abc import Callable, Sequence
from enum import Enum
from socket import socket

import msgspec

from . import bird, fleet
from .api import ApiClient, ApiRefused
from .errors import LabError
from .forwarder import listen_on_path
from .layout import AGGREGATORS, HOSTS, LINES, NODES, SERVER, SERVER_PORT, AccessLine
from .netns import Namespace, remove_all
from .programs import OPENBOND, Programs
from .registry import LabDirectory, LabRecord, known_labs, new_record, registry_lock
from .topology import Topology
from .waiting import wait_until

SERVER_PATIENCE = 180.0
BOND_PATIENCE = 180.0
EMAIL = "admin@openbond.example"
# Between checks of an aggregator that is monitored; operators cannot set less than 5 s.
CHECK_SECONDS = "2"

SETTINGS = "etc/bonding/bonding.conf"

Tell = Callable[[str], None]


class LabState(Enum):
    UP = "up"
    BUILDING = "building"
    KILLED = "killed"
    ABSENT = "absent"


class Lab:
    """One lab: its directory, hosts, programs and API."""

    def __init__(self, name: str) -> None:
        self.directory = LabDirectory(name)
        self.topology = Topology(self.directory)
        self.programs = Programs(self.directory.programs, self.directory.logs)

    @classmethod
    def find(cls, name: str) -> "Lab":
        """Return a lab that is up. Raises LabError that says what to do otherwise."""
        lab = cls(name)
        state = lab.state()
        if state is not LabState.UP:
            others = ", ".join(known_labs()) or "none"
            raise LabError(
                f"no lab {name!r} is up (it is {state.value}); known: {others}. "
                f"Start it with: openbond lab up --name {name}"
            )
        return lab

    @property
    def record(self) -> LabRecord:
        """The record of this lab. Raises LabError when there is none."""
        found = self.directory.read()
        if found is None:
            raise LabError(f"there is no lab {self.directory.name!r}")
        return found

    def host(self, name: str) -> Namespace:
        """Return a host by its short name. Raises LabError that lists them."""
        found = self.topology.host(name)
        if name not in HOSTS and not found.exists():
            raise LabError(f"no host {name!r} in the lab; hosts: {', '.join(HOSTS)}")
        return found

    def state(self) -> LabState:
        if not self.directory.path.exists():
            return LabState.ABSENT
        record = self.directory.read()
        if record is None:
            return LabState.KILLED
        if not record.is_up:
            return LabState.BUILDING if record.builder.is_running() else LabState.KILLED
        is_whole = all(self.topology.host(name).exists() for name in HOSTS)
        return LabState.UP if is_whole else LabState.KILLED

    def api(self) -> ApiClient:
        """Return a client of the lab's server with the administrator's credentials."""
        record = self.record
        return ApiClient(
            record.url,
            email=record.email,
            password=self.directory.password,
            ca=self.directory.ca_file,
            socket=self.directory.server_socket,
        )

    def start_server(self) -> None:
        """Start the management server; it comes back to what it knew."""
        argv = [*OPENBOND, "server", "--state", str(self.directory.server_state)]
        where = ["--host", SERVER, "--port", str(SERVER_PORT)]
        words = {
            "OPENBOND_ADMIN_PASSWORD": self.directory.password,
            "OPENBOND_ADMIN_EMAIL": EMAIL,
            "OPENBOND_CHECK_SECONDS": CHECK_SECONDS,
        }
        self.programs.start("server", self.host("server").argv([*argv, *where]), environment=words)

    def start_node(self, name: str) -> None:
        """Boot a node."""
        fleet.start_node(self.programs, self.directory, self.host(name), name)

    def line(self, words: str) -> AccessLine:
        """Return the line an operator means. Raises LabError that lists them."""
        for line in LINES:
            if line.answers_to(words):
                return line
        known = ", ".join(f"{line.number} ({line.word}, {line.interface})" for line in LINES)
        raise LabError(f"no leg {words!r} in the lab; legs: {known}")

    def end(self) -> None:
        """End the lab and leave nothing behind; twice is harmless."""
        self.programs.end_all()
        remove_all(self.directory.prefix)
        self.directory.remove()


def begin(name: str, tell: Tell) -> Lab:
    """Take a name for a new lab and clean away what killed ones left. Raises LabError."""
    with registry_lock():
        for other in map(Lab, known_labs()):
            if other.state() is LabState.KILLED:
                tell(f"Cleaning up the killed lab {other.directory.name}")
                other.end()
        lab = Lab(name)
        if lab.state() is not LabState.ABSENT:
            raise LabError(
                f"the lab {name!r} is {lab.state().value} already; see `openbond lab status`, "
                "end it with `openbond lab down`, or take another --name"
            )
        remove_all(lab.directory.prefix)
        lab.directory.create()
        lab.directory.write(new_record(name))
    return lab


def build(lab: Lab, loopback: socket, tell: Tell, *, keeps_failed: bool = False) -> LabRecord:
    """Build a lab that was begun, until its bond is up.

    Raises LabError; the lab is then ended, unless it is to be kept for a look.
    """
    try:
        return _build(lab, loopback, tell)
    except BaseException:
        if not keeps_failed:
            lab.end()
        raise


def _build(lab: Lab, loopback: socket, tell: Tell) -> LabRecord:
    tell(f"Building {len(HOSTS)} network namespaces, three lines, the core")
    lab.topology.build()
    _start_core_routes(lab, tell)
    tell("Starting the management server")
    record = _start_server(lab, loopback)
    tell("Creating aggregators, bond, legs and connected IP through the API")
    with lab.api() as api:
        created = fleet.create_fleet(api)
        tell("Enrolling and starting two aggregators and the bonder")
        _bring_into_service(lab, created.keys)
        tell("Waiting for all three legs")
        fleet.wait_for_bond(api, created.bond_id, patience=BOND_PATIENCE)
    lab.topology.end_installation()
    record = msgspec.structs.replace(record, bond_id=created.bond_id, is_up=True)
    lab.directory.write(record)
    return record


def _start_core_routes(lab: Lab, tell: Tell) -> None:
    found = bird.find_bird()
    if found:
        tell("Starting BIRD at the core")
        bird.start_bird(found, lab.host("core"), lab.programs, lab.directory)
        return
    tell("Starting the core's watcher of routes, as BIRD is not installed (bird2)")
    argv = [OPENBOND[0], "-m", "openbond.lab.core_routes", "--core", lab.host("core").name]
    for one in AGGREGATORS:
        argv += ["--aggregator", f"{lab.host(one.host).name}={one.ip}"]
    lab.programs.start("core-routes", argv)


def _start_server(lab: Lab, loopback: socket) -> LabRecord:
    lab.directory.password_file.touch(mode=0o600)
    lab.directory.password_file.write_text(secrets.token_urlsafe(12) + "\n")
    port = loopback.getsockname()[1]
    record = msgspec.structs.replace(lab.record, url=f"https://127.0.0.1:{port}", email=EMAIL)
    lab.directory.write(record)
    _start_forwarder(lab, [loopback, listen_on_path(lab.directory.server_socket)])
    lab.start_server()
    wait_for_server(lab)
    return record


def _start_forwarder(lab: Lab, listeners: Sequence[socket]) -> None:
    argv = [OPENBOND[0], "-m", "openbond.lab.forwarder", "--to", f"{SERVER}:{SERVER_PORT}"]
    for listener in listeners:
        argv += ["--listen", str(listener.fileno())]
    lab.programs.start("forwarder", lab.host("server").argv(argv))
    for listener in listeners:
        listener.close()


def wait_for_server(lab: Lab) -> None:
    """Return when the server answers. Raises LabError with its last words when it does not."""
    try:
        wait_until(lambda: _answers(lab), what="the server answers", patience=SERVER_PATIENCE)
    except LabError as trouble:
        raise LabError(f"{trouble}\n{lab.programs.last_words('server')}") from trouble


def _answers(lab: Lab) -> bool:
    if lab.programs.find("server") is None:
        raise LabError("the server ended:")
    if not lab.directory.ca_file.exists():
        return False
    try:
        with lab.api() as api:
            api.get("/api/v3/", dict[str, str])
    except ApiRefused:
        raise
    except LabError:
        return False
    return True


def _bring_into_service(lab: Lab, keys: dict[str, str]) -> None:
    lab.topology.install_bonder(LINES[0])
    for name in NODES:
        fleet.enrol(lab.directory, lab.host(name), name, keys[name])
        if name != "bonder" and bird.find_bird():
            with (lab.directory.node_root(name) / SETTINGS).open("a") as settings:
                settings.write(bird.aggregator_lines())
        lab.start_node(name)
