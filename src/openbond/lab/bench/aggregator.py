"""Many idle bonds on one aggregator: memory in all, and how soon they are back after a restart.

        sites                     far
    [ l1 10.71.1.1 ]=========[ l1 10.71.1.2 ]      one supervisor each, one daemon per bond each
    [ l2 10.71.2.1 ]=========[ l2 10.71.2.2 ]

Every bond has two legs and the server's default settings; all bonders live in one namespace. No
server and no agent: settings and program files are written here, as an agent would.
"""

import os
import sys
import time
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from openbond.lab.daemons import daemon_status
from openbond.lab.errors import LabError
from openbond.lab.netns import Namespace, add_cable, kill_programs, remove_all
from openbond.lab.programs import OPENBOND, Programs
from openbond.lab.waiting import wait_until
from openbond.node import store
from openbond.node.daemon_messages import (
    DaemonSettings,
    encode_settings,
    settings_path,
)
from openbond.node.paths import Paths
from openbond.node.programs import Program, write_program
from openbond.wire.states import NodeKind, ShownState

from .bonds import bond_config, leg_config, leg_link
from .memory import Memory, memory_of, memory_together
from .rows import Row, Say

LEGS = (1, 2)
LEG_KBPS = 50_000
UP_WITHIN = 240.0
MEMORY_MOST_MB = 20.0  # a bond: 50 bonds per GB (item 56)
RESTART_MOST_S = 0.6  # a bond: 50 bonds in 30 s
IDLE_FOR = 5.0


class Aggregator:
    """Use it with `with`: entering builds and starts everything, leaving removes it all."""

    def __init__(self, directory: Path, *, name: str, bonds: int, say: Say) -> None:
        self._bonds = range(1, bonds + 1)
        self._name = name
        self._say = say
        self._programs = Programs(directory / "programs", directory / "logs")
        self._roots = {role: directory / role.value for role in NodeKind}
        self._namespaces = {role: Namespace(f"{name}-{role.value}") for role in NodeKind}
        self._keys = {role: X25519PrivateKey.generate() for role in NodeKind}
        self._secret = b64encode(os.urandom(32)).decode()
        for path in ("programs", "logs"):
            (directory / path).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "Aggregator":
        remove_all(f"{self._name}-")
        try:
            self._build()
            for role in (NodeKind.AGGREGATOR, NodeKind.BONDER):
                self._say(f"starting {len(self._bonds)} daemons of the {role.value}")
                self._write_files(role)
                self._start_supervisor(role)
            self._say(f"waiting for {len(self._bonds)} bonds")
            self.wait_until_up()
        except BaseException:  # an impatient Ctrl-C, too, leaves nothing behind
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._programs.end_all()
        remove_all(f"{self._name}-")

    def rows(self) -> list[Row]:
        """Measure. Raises LabError."""
        self._say("memory of the aggregator's programs, idle")
        time.sleep(IDLE_FOR)
        return [self._memory(), self._restart()]

    def wait_until_up(self) -> None:
        """Return when every leg of every bond is `up` at the aggregator. Raises LabError."""
        wait_until(
            lambda: self._bonds_in({ShownState.UP}) == len(self._bonds),
            what=f"all bonds are up; the aggregator's supervisor said: {self._said()}",
            patience=UP_WITHIN,
            pause=0.25,
        )

    def _memory(self) -> Row:
        pids = self._namespaces[NodeKind.AGGREGATOR].pids()
        if len(pids) != len(self._bonds) + 1:
            raise LabError(f"{len(pids)} programs run for {len(self._bonds)} bonds")
        together = memory_together(pids)
        one = _largest([memory_of(pid) for pid in pids])
        return Row(
            name=f"memory of supervisor and {len(self._bonds)} daemons",
            value=together.resident,
            unit="MB",
            most=MEMORY_MOST_MB * len(self._bonds),
            detail=f"largest daemon {one.own:.1f} MB of its own, {one.files:.1f} MB shared files; "
            f"PSS in all {together.pss:.0f} MB",
            figures={"own_mb": together.own, "files_mb": together.files, "pss_mb": together.pss},
        )

    def _restart(self) -> Row:
        """Kill all daemons of the aggregator at once and wait for their bonds."""
        self._say("all daemons of the aggregator are killed at once")
        begun = time.monotonic()
        kill_programs(self._daemons())
        self._wait_for({ShownState.UP, ShownState.TESTING})
        carries_after = time.monotonic() - begun
        self._wait_for({ShownState.UP})
        up_after = time.monotonic() - begun
        return Row(
            name=f"{len(self._bonds)} bonds carry again after all daemons were killed",
            value=carries_after,
            unit="s",
            most=RESTART_MOST_S * len(self._bonds),
            detail=f"all legs read `up` after {up_after:.1f} s, 5 s of them observation",
            figures={"carries_after_s": carries_after, "up_after_s": up_after},
        )

    def _wait_for(self, states: set[ShownState]) -> None:
        wait_until(
            lambda: self._bonds_in(states) == len(self._bonds),
            what=f"all legs read one of {sorted(states)}",
            patience=UP_WITHIN,
            pause=0.25,
        )

    def _bonds_in(self, states: set[ShownState]) -> int:
        return sum(self._legs_are_in(bond_id, states) for bond_id in self._bonds)

    def _legs_are_in(self, bond_id: int, states: set[ShownState]) -> bool:
        try:
            status = daemon_status(self._roots[NodeKind.AGGREGATOR], bond_id)
        except (OSError, LabError):
            return False
        return {leg.state for leg in status.legs} <= states

    def _daemons(self) -> list[int]:
        supervisor = self._programs.find(NodeKind.AGGREGATOR.value)
        pids = self._namespaces[NodeKind.AGGREGATOR].pids()
        return [pid for pid in pids if supervisor is None or pid != supervisor.pid]

    # -- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        site, far = (self._namespaces[role] for role in (NodeKind.BONDER, NodeKind.AGGREGATOR))
        site.create()
        far.create()
        for leg in LEGS:
            add_cable(site, f"l{leg}", far, f"l{leg}")
            site.add_address(f"l{leg}", f"10.71.{leg}.1/24")
            far.add_address(f"l{leg}", f"10.71.{leg}.2/24")

    def _write_files(self, role: NodeKind) -> None:
        root = self._roots[role]
        key = root / "tunnel.key"
        root.mkdir(parents=True, exist_ok=True)
        store.write(key, self._keys[role].private_bytes_raw(), mode=store.PRIVATE)
        store.make_directory(Paths(root).programs)
        for bond_id in self._bonds:
            settings = self._settings(role, bond_id, key)
            store.write(settings_path(root, bond_id), encode_settings(settings))
            argv = [sys.executable, "-m", "openbond.node.tunnel_daemon"]
            argv += ["--root", str(root), "--bond", str(bond_id)]
            write_program(Paths(root).programs, Program(name=f"tunnel-{bond_id}", argv=argv))

    def _start_supervisor(self, role: NodeKind) -> None:
        words = ["node", "supervisor", "--no-agent", "--root", str(self._roots[role])]
        self._programs.start(role.value, self._namespaces[role].argv([*OPENBOND, *words]))

    def _settings(self, role: NodeKind, bond_id: int, key: Path) -> DaemonSettings:
        peer = NodeKind.AGGREGATOR if role is NodeKind.BONDER else NodeKind.BONDER
        public = self._keys[peer].public_key().public_bytes_raw()
        legs = [_leg_id(bond_id, leg) for leg in LEGS]
        return DaemonSettings(
            role=role,
            bond=bond_config(
                bond_id,
                tunnel_subnet=f"240.0.{2 * bond_id // 256}.{2 * bond_id % 256}/31",
                peer_public_key=b64encode(public).decode(),
                secret=self._secret,
                legs=[leg_config(leg_id, down_kbps=LEG_KBPS, up_kbps=LEG_KBPS) for leg_id in legs],
            ),
            private_key=str(key),
            links=[
                leg_link(
                    leg_id,
                    line=leg,
                    network=f"10.71.{leg}",
                    is_site=role is NodeKind.BONDER,
                )
                for leg, leg_id in zip(LEGS, legs, strict=True)
            ],
        )

    def _said(self) -> str:
        return self._programs.last_words(NodeKind.AGGREGATOR.value)


def _largest(found: list[Memory | None]) -> Memory:
    return max((each for each in found if each is not None), key=lambda each: each.own)


def _leg_id(bond_id: int, leg: int) -> int:
    return len(LEGS) * (bond_id - 1) + leg
