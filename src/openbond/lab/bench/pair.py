"""Two tunnel daemons for real, and the lines between them, in network namespaces of their own.

        site                      line <n>                       far
    [ l<n> 10.70.n.1 ]====[ s<n>  relay, TBF  f<n> ]====[ l<n> 10.70.n.2 ]
      tun7 240.0.0.0                                        tun7 240.0.0.1

No agent and no server: settings files are written here, as an agent would. Lines come up clean;
what they lose and how they jitter begins once all legs are up.
"""

import os
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from openbond.lab.daemons import ask_daemon, daemon_status
from openbond.lab.errors import LabError
from openbond.lab.netns import Namespace, remove_all
from openbond.lab.programs import OPENBOND, Programs
from openbond.lab.waiting import wait_until
from openbond.node import store
from openbond.node.daemon_messages import (
    DaemonSettings,
    Done,
    Line,
    Reload,
    Request,
    StatusAnswer,
    encode_settings,
    settings_path,
)
from openbond.wire.config import BondConfig
from openbond.wire.states import (
    LinkMode,
    NodeKind,
    Security,
    ShownState,
)

from .bonds import bond_config, leg_config, leg_link
from .lines import Lines, LineShape

BOND_ID = 7
DEVICE = f"tun{BOND_ID}"
SITE_IP, FAR_IP = "240.0.0.0", "240.0.0.1"
UP_WITHIN = 20.0
OUT_OF_USE = (ShownState.DOWN, ShownState.HANDSHAKING, ShownState.TESTING, ShownState.REMOVED)


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
        adapts: bool = False,
        security: Security = Security.ENCRYPTION,
        handshake_interval: float = 3600.0,
    ) -> None:
        """`directory` takes all files; `name` begins the names of all namespaces; `options` go to
        both tunnel daemons; `adapts`: with bandwidth adaptation on.
        """
        self.shapes = tuple(lines)
        self.site = _end(NodeKind.BONDER, name, directory, SITE_IP)
        self.far = _end(NodeKind.AGGREGATOR, name, directory, FAR_IP)
        self.programs = Programs(directory / "programs", directory / "logs")
        self.security = security
        self.handshake_interval = handshake_interval
        self.lines = Lines(
            directory / "relays", name=name, shapes=self.shapes, programs=self.programs
        )
        self._name = name
        self._directory = directory
        self._options = tuple(options)
        self._adapts = adapts
        self._in_use = frozenset(range(1, len(self.shapes) + 1))
        self._secret = b64encode(os.urandom(32)).decode()

    def __enter__(self) -> "Pair":
        remove_all(f"{self._name}-")
        for path in ("programs", "logs"):
            (self._directory / path).mkdir(parents=True, exist_ok=True)
        try:
            self.site.namespace.create()
            self.far.namespace.create()
            self.lines.build(self.site.namespace, self.far.namespace)
            self.start_daemons()
            self.wait_until_up()
            self.lines.shape_all()
        except BaseException:  # an impatient Ctrl-C, too, leaves nothing behind
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

    def wait_until_in_use(self) -> None:
        """Return when every leg carries data at both ends, or may. Raises LabError."""
        for end in (self.site, self.far):
            wait_until(
                partial(self._is_in_use_at, end),
                what=f"all legs of the {end.role.value} are in use; it said: {self.said(end)}",
                patience=UP_WITHIN,
            )

    def _is_in_use_at(self, end: End) -> bool:
        states = self.states(end)
        return bool(states) and not states & set(OUT_OF_USE)

    def said(self, end: End) -> str:
        return self.programs.last_words(end.role.value)

    def states(self, end: End) -> set[ShownState]:
        """Return the states of the legs at one end; empty while the daemon does not answer."""
        try:
            return {leg.state for leg in self.status(end).legs}
        except (OSError, LabError):
            return set()

    def status(self, end: End) -> StatusAnswer:
        return daemon_status(end.root, BOND_ID)

    def ask(self, end: End, request: Request) -> Line:
        """Ask a daemon something. Raises OSError while it does not answer."""
        return ask_daemon(end.root, BOND_ID, request)

    # -- lines and legs ---------------------------------------------------------------------------

    def cut(self, number: int) -> None:
        """Cut line `number` (from 1) in both directions: what is under way is lost, too."""
        self.lines.shape(number, is_cut=True)

    def mend(self, number: int) -> None:
        self.lines.shape(number)

    def use_only(self, numbers: Iterable[int]) -> None:
        """Let these legs carry data, the others idle: probed, ready, and without a byte.

        Raises LabError when a daemon refuses, or the states do not follow.
        """
        self._in_use = frozenset(numbers)
        for end in (self.far, self.site):
            answer = self.ask(end, Reload(settings=self.settings(end)))
            if not isinstance(answer, Done):
                raise LabError(f"the {end.role.value}'s daemon did not take new settings: {answer}")
        wait_until(self._uses_what_it_should, what="the legs idle or work", patience=UP_WITHIN)

    def spill_reasons(self, *, is_down: bool) -> set[str]:
        """Return, in words, which legs the sending end holds back now, and why."""
        sender = self.far if is_down else self.site
        legs = self.status(sender).legs
        return {f"leg {leg.leg_id}: {leg.spill_reason}" for leg in legs if leg.spill_reason}

    def _uses_what_it_should(self) -> bool:
        return all(
            (leg.state is ShownState.IDLE) == (leg.leg_id not in self._in_use)
            and leg.state not in OUT_OF_USE
            for end in (self.far, self.site)
            for leg in self.status(end).legs
        )

    # -- settings ---------------------------------------------------------------------------------

    def settings(self, end: End) -> DaemonSettings:
        """Return what an agent would write for this end."""
        key = end.root / "tunnel.key"
        store.write(key, end.private_key.private_bytes_raw(), mode=store.PRIVATE)
        is_site = end is self.site
        numbers = range(1, len(self.shapes) + 1)
        return DaemonSettings(
            role=end.role,
            bond=self._bond((self.far if is_site else self.site).public_key),
            private_key=str(key),
            links=[
                leg_link(number, line=number, network=f"10.70.{number}", is_site=is_site)
                for number in numbers
            ],
        )

    def _bond(self, peer_public_key: str) -> BondConfig:
        return bond_config(
            BOND_ID,
            tunnel_subnet=f"{SITE_IP}/31",
            peer_public_key=peer_public_key,
            secret=self._secret,
            legs=[
                leg_config(
                    number,
                    down_kbps=shape.told_kbps(is_down=True),
                    up_kbps=shape.told_kbps(is_down=False),
                    mode=LinkMode.ACTIVE if number in self._in_use else LinkMode.IDLE,
                )
                for number, shape in enumerate(self.shapes, 1)
            ],
            security=self.security,
            adapts=self._adapts,
            handshake_interval=self.handshake_interval,
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
