"""The lines of a pair: what each is, what its leg is told of it, and their making in the kernel.

A line without rate and delay is one cable. All others are a namespace with the lab's relay (delay,
jitter, loss) and TBF on its two interfaces (rate, with a modem's queue).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openbond.lab.line import Shape
from openbond.lab.netns import Namespace, add_cable
from openbond.lab.programs import Programs
from openbond.lab.relay import RelayClient, Shapes
from openbond.lab.waiting import wait_until

# TBF counts the Ethernet header of a veth, 14 bytes, configured speeds do not (behaviour 2.9).
WIRE_SHARE = 1514 / 1500
UNLIMITED_MBPS = 10_000
RELAY_WITHIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShape:
    """One line. Mbit/s of IP packets down and, unless alike, up (None: as fast as the machine);
    delay and jitter in ms one way, loss in percent of the packets of each direction. `told_mbps`
    is what the leg is configured to when that is not the truth.
    """

    mbps: float | None = None
    up_mbps: float | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_percent: float = 0.0
    told_mbps: float | None = None

    @property
    def is_bare(self) -> bool:
        return self.mbps is None and not self.delay_ms

    def rate(self, *, is_down: bool) -> float | None:
        """Return what the line carries in one direction."""
        return self.mbps if is_down else self.up_mbps or self.mbps

    def told_kbps(self, *, is_down: bool) -> int:
        """Return the speed of the leg as an operator configures it."""
        told = self.told_mbps or self.rate(is_down=is_down) or UNLIMITED_MBPS
        return round(told * 1000)


class Lines:
    """The lines between two namespaces, numbered from 1."""

    def __init__(
        self, directory: Path, *, name: str, shapes: Sequence[LineShape], programs: Programs
    ) -> None:
        """`directory` takes the relays' sockets; `name` begins the names of all namespaces."""
        self._directory = directory
        self._name = name
        self._shapes = list(shapes)
        self._programs = programs

    def build(self, site: Namespace, far: Namespace) -> None:
        """Join the two namespaces: leg n has 10.70.n.1 at the site and 10.70.n.2 afar."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for number, shape in enumerate(self._shapes, 1):
            if shape.is_bare:
                add_cable(site, f"l{number}", far, f"l{number}")
            else:
                self._build_line(number, shape, site, far)
            site.add_address(f"l{number}", f"10.70.{number}.1/24")
            far.add_address(f"l{number}", f"10.70.{number}.2/24")

    def shape(self, number: int, *, is_cut: bool = False, is_clean: bool = False) -> None:
        """Put a line's shape in force. A cut loses what is under way, too; a clean line has
        neither loss nor jitter.
        """
        wanted = self._shapes[number - 1]
        way = Shape(
            delay_ms=wanted.delay_ms,
            jitter_ms=0.0 if is_clean else wanted.jitter_ms,
            loss_percent=0.0 if is_clean else wanted.loss_percent,
            is_cut=is_cut,
        )
        RelayClient(self._control(number)).set_shapes(Shapes(up=way, down=way))

    def change(self, number: int, shape: LineShape) -> None:
        """Make a line of another kind from now on; what its leg was told stays."""
        self._shapes[number - 1] = shape
        self.set_rate(number, down=shape.rate(is_down=True), up=shape.rate(is_down=False))
        self.shape(number)

    def shape_all(self, *, is_clean: bool = False) -> None:
        for number, shape in enumerate(self._shapes, 1):
            if not shape.is_bare:
                self.shape(number, is_clean=is_clean)

    def set_rate(self, number: int, *, down: float | None, up: float | None) -> None:
        """Set what a line carries from now on, in Mbit/s of IP packets."""
        middle = self._middle(number)
        middle.set_rate(f"s{number}", down and down * WIRE_SHARE)
        middle.set_rate(f"f{number}", up and up * WIRE_SHARE)

    def _build_line(self, number: int, shape: LineShape, site: Namespace, far: Namespace) -> None:
        middle = self._middle(number)
        middle.create()
        add_cable(site, f"l{number}", middle, f"s{number}")
        add_cable(far, f"l{number}", middle, f"f{number}")
        for interface in (f"s{number}", f"f{number}"):
            middle.ip("link", "set", interface, "up")
        self.set_rate(number, down=shape.rate(is_down=True), up=shape.rate(is_down=False))
        control = self._control(number)
        words = ["--customer", f"s{number}", "--isp", f"f{number}", "--control", str(control)]
        argv = middle.argv([sys.executable, "-m", "openbond.lab.relay", *words])
        self._programs.start(f"relay{number}", argv)
        wait_until(control.exists, what=f"the relay of line {number} runs", patience=RELAY_WITHIN)
        self.shape(number, is_clean=True)

    def _middle(self, number: int) -> Namespace:
        return Namespace(f"{self._name}-line{number}")

    def _control(self, number: int) -> Path:
        return self._directory / f"{number}.sock"
