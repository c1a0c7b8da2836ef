"""Two tunnel daemons for real, and the lines between them, in network namespaces of their own.

        site                      line <n>                       far
    [ l<n> 10.70.n.1 ]====[ s<n>  relay, TBF  f<n> ]====[ l<n> 10.70.n.2 ]
      tun7 240.0.0.0                                        tun7 240.0.0.1

A line without rate and delay is one cable. Delays come from the lab's relay, rates from TBF on its
two interfaces. No agent and no server: settings files are written here, as an agent would.
"""

import os
import socket
import sys
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from openbond.lab.errors import LabError
from openbond.lab.line import Shape
from openbond.lab.netns import Namespace, add_cable, remove_all
from openbond.lab.programs import OPENBOND, Programs
from openbond.lab.relay import RelayClient, Shapes
from openbond.lab.waiting import wait_until
from openbond.node import store
from openbond.node.daemon_messages import (
    DaemonSettings,
    LegLink,
    Line,
    Request,
    Status,
    StatusAnswer,
    decode_line,
    encode_line,
    encode_settings,
    settings_path,
    socket_path,
)
from openbond.wire.config import BondConfig, LegConfig
from openbond.wire.states import (
    Cipher,
    Distribution,
    LegType,
    LinkMode,
    NodeKind,
    Security,
    ShownState,
)

BOND_ID = 7
DEVICE = f"tun{BOND_ID}"
SITE_IP, FAR_IP = "240.0.0.0", "240.0.0.1"
UNLIMITED_MBPS = 10_000
PORT_BEFORE = 2000
# TBF counts the Ethernet header of a veth, 14 bytes, configured speeds do not (behaviour 2.9).
WIRE_SHARE = 1514 / 1500
UP_WITHIN = 20.0
ASK_WITHIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShape:
    """One line: Mbit/s in each direction (None: as fast as the machine) and one-way delay."""

    mbps: float | None = None
    delay_ms: float = 0.0

    @property
    def is_bare(self) -> bool:
        return self.mbps is None and not self.delay_ms


@dataclass(frozen=True, slots=True)
class End:
    """One end of the pair: its namespace and the root of its files."""

    role: NodeKind
    namespace: Namespace
    root: Path
    ip: str
    private_key: X25519PrivateKey

    @property
    def public_key(self) -> str:
        return b64encode(self.private_key.public_key().public_bytes_raw()).decode()


class Pair:
    """Use it with `with`: entering builds and starts everything, leaving removes it all."""

    def __init__(
        self,
        directory: Path,
        *,
        name: str,
        lines: Sequence[LineShape],
        options: Sequence[str] = (),
        security: Security = Security.ENCRYPTION,
        handshake_interval: float = 3600.0,
    ) -> None:
        """`directory` takes all files; `name` begins the names of all namespaces; `options` go to
        both tunnel daemons.
        """
        self.lines = tuple(lines)
        self.site = _end(NodeKind.BONDER, name, directory, SITE_IP)
        self.far = _end(NodeKind.AGGREGATOR, name, directory, FAR_IP)
        self.programs = Programs(directory / "programs", directory / "logs")
        self.security = security
        self.handshake_interval = handshake_interval
        self._name = name
        self._directory = directory
        self._options = tuple(options)
        self._secret = b64encode(os.urandom(32)).decode()

    def __enter__(self) -> "Pair":
        remove_all(f"{self._name}-")
        for path in ("programs", "logs", "relays"):
            (self._directory / path).mkdir(parents=True, exist_ok=True)
        try:
            self._build()
            self.start_daemons()
            self.wait_until_up()
        except LabError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.programs.end_all()
        remove_all(f"{self._name}-")

    # -- daemons ----------------------------------------------------------------------------------

    def start_daemons(self) -> None:
        """Write the settings, start both daemons, and give the devices their addresses."""
        for end in (self.far, self.site):
            store.write(settings_path(end.root, BOND_ID), encode_settings(self.settings(end)))
            self.start_daemon(end)
        for end in (self.far, self.site):
            wait_until(
                partial(_has_device, end),
                what=f"the {end.role.value} has its TUN device; it said: {self.said(end)}",
                patience=UP_WITHIN,
            )
            end.namespace.ip("address", "replace", f"{end.ip}/31", "dev", DEVICE)
            end.namespace.ip("link", "set", DEVICE, "up", "mtu", "1436", "txqueuelen", "1000")

    def start_daemon(self, end: End) -> None:
        """Start the daemon of one end; its settings file is there."""
        words = ["node", "tunnel", "--root", str(end.root), "--bond", str(BOND_ID)]
        argv = end.namespace.argv([*OPENBOND, *words, *self._options])
        self.programs.start(end.role.value, argv)

    def wait_until_up(self) -> None:
        """Return when every leg is `up` at both ends. Raises LabError."""
        for end in (self.site, self.far):
            wait_until(
                partial(self.is_up, end),
                what=f"all legs of the {end.role.value} are up; it said: {self.said(end)}",
                patience=UP_WITHIN,
            )

    def is_up(self, end: End) -> bool:
        """Say whether every leg is `up` at one end."""
        return self.states(end) == {ShownState.UP}

    def said(self, end: End) -> str:
        return self.programs.last_words(end.role.value)

    def states(self, end: End) -> set[ShownState]:
        """Return the states of the legs at one end; empty while the daemon does not answer."""
        try:
            return {leg.state for leg in self.status(end).legs}
        except (OSError, LabError):
            return set()

    def status(self, end: End) -> StatusAnswer:
        answer = self.ask(end, Status())
        if not isinstance(answer, StatusAnswer):
            raise LabError(f"the {end.role.value}'s daemon refused to tell its status")
        return answer

    def ask(self, end: End, request: Request) -> Line:
        """Ask a daemon something. Raises OSError while it does not answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(ASK_WITHIN)
            channel.connect(str(socket_path(end.root, BOND_ID)))
            channel.sendall(encode_line(request))
            with channel.makefile("rb") as answers:
                return decode_line(answers.readline())

    # -- lines ------------------------------------------------------------------------------------

    def cut(self, number: int) -> None:
        """Cut line `number` (from 1) in both directions: what is under way is lost, too."""
        self._shape(number, is_cut=True)

    def mend(self, number: int) -> None:
        self._shape(number, is_cut=False)

    def _shape(self, number: int, *, is_cut: bool) -> None:
        shape = Shape(delay_ms=self.lines[number - 1].delay_ms, is_cut=is_cut)
        RelayClient(self._relay(number)).set_shapes(Shapes(up=shape, down=shape))

    def _relay(self, number: int) -> Path:
        return self._directory / "relays" / f"{number}.sock"

    def _build(self) -> None:
        self.site.namespace.create()
        self.far.namespace.create()
        for number, line in enumerate(self.lines, 1):
            if line.is_bare:
                add_cable(self.site.namespace, f"l{number}", self.far.namespace, f"l{number}")
            else:
                self._build_line(number, line)
            self.site.namespace.add_address(f"l{number}", f"10.70.{number}.1/24")
            self.far.namespace.add_address(f"l{number}", f"10.70.{number}.2/24")

    def _build_line(self, number: int, line: LineShape) -> None:
        middle = Namespace(f"{self._name}-line{number}")
        middle.create()
        add_cable(self.site.namespace, f"l{number}", middle, f"s{number}")
        add_cable(self.far.namespace, f"l{number}", middle, f"f{number}")
        for interface in (f"s{number}", f"f{number}"):
            middle.ip("link", "set", interface, "up")
            middle.set_rate(interface, line.mbps and line.mbps * WIRE_SHARE)
        words = ["--customer", f"s{number}", "--isp", f"f{number}"]
        words += ["--control", str(self._relay(number))]
        argv = middle.argv([sys.executable, "-m", "openbond.lab.relay", *words])
        self.programs.start(f"relay{number}", argv)
        wait_until(
            self._relay(number).exists, what=f"the relay of line {number} runs", patience=UP_WITHIN
        )
        self.mend(number)

    # -- settings ---------------------------------------------------------------------------------

    def settings(self, end: End) -> DaemonSettings:
        """Return what an agent would write for this end."""
        key = end.root / "tunnel.key"
        store.write(key, end.private_key.private_bytes_raw(), mode=store.PRIVATE)
        is_site = end is self.site
        numbers = range(1, len(self.lines) + 1)
        return DaemonSettings(
            role=end.role,
            bond=self._bond((self.far if is_site else self.site).public_key),
            private_key=str(key),
            links=[_link(number, is_site=is_site) for number in numbers],
        )

    def _bond(self, peer_public_key: str) -> BondConfig:
        return BondConfig(
            id=BOND_ID,
            tunnel_subnet=f"{SITE_IP}/31",
            aggregator_ip=FAR_IP,
            peer_public_key=peer_public_key,
            secret=self._secret,
            security=self.security,
            cipher=Cipher.AES256,
            handshake_interval_ms=round(self.handshake_interval * 1000),
            compression=False,
            clamp_tcp=True,
            packet_distribution=Distribution.IDMPQ,
            reorder_max_hold_ms=150,
            flow_collision_detection=False,
            automatic_ping_timing=True,
            ping_interval_ms=500,
            ping_timeout_ms=3000,
            bandwidth_adaptation=False,
            packet_loss_detection=False,
            packet_loss_threshold_permille=50,
            flap_detection=False,
            flap_threshold=4,
            flap_window_ms=300_000,
            tcp_proxy=False,
            tcp_proxy_ports=[],
            legs=[_leg(number, line) for number, line in enumerate(self.lines, 1)],
        )


def _end(role: NodeKind, name: str, directory: Path, ip: str) -> End:
    word = "site" if role is NodeKind.BONDER else "far"
    root = directory / word
    return End(role, Namespace(f"{name}-{word}"), root, ip, X25519PrivateKey.generate())


def _has_device(end: End) -> bool:
    try:
        end.namespace.ip("link", "show", "dev", DEVICE)
    except LabError:
        return False
    return True


def _leg(number: int, line: LineShape) -> LegConfig:
    kbps = round((line.mbps or UNLIMITED_MBPS) * 1000)
    return LegConfig(
        id=number,
        type=LegType.STATIC,
        link_mode=LinkMode.ACTIVE,
        failover=False,
        tunnel_port=PORT_BEFORE + number,
        down_kbps=kbps,
        up_kbps=kbps,
    )


def _link(number: int, *, is_site: bool) -> LegLink:
    port = PORT_BEFORE + number
    if not is_site:
        return LegLink(leg_id=number, source_port=port)
    return LegLink(
        leg_id=number,
        interface=f"l{number}",
        source=f"10.70.{number}.1",
        peer=f"10.70.{number}.2",
        peer_port=port,
    )
