"""What each trouble does to a line of the lab, and how it is undone."""

from ipaddress import IPv4Address
from random import Random

import msgspec

from openbond.lab.api import ApiClient, LegView
from openbond.lab.layout import AccessLine, Addressing
from openbond.lab.life import Lab
from openbond.lab.line import Shape
from openbond.lab.relay import Shapes

from .plan import Trouble

LOSS_PERCENT = 8.0
SLOWED_TO = 0.1
DELAY_MORE_MS = 70.0
NARROW_MTU = 1300
NAT_PORTS = range(20_000, 60_000)
NAT_WIDTH = 500


class Deeds:
    """Strikes lines and mends them. `dice`: which ports an address translation moves to."""

    def __init__(self, lab: Lab, api: ApiClient, dice: Random) -> None:
        self._lab = lab
        self._api = api
        self._dice = dice

    def strike(self, line: AccessLine, trouble: Trouble) -> None:
        """Bring a trouble over a line that is whole. Raises LabError."""
        topology = self._lab.topology
        match trouble:
            case Trouble.SLOW:
                rate = line.mbps * SLOWED_TO
                topology.set_rates(line, down=rate, up=rate)
            case Trouble.NAT_MOVED:
                begin = self._dice.randrange(NAT_PORTS.start, NAT_PORTS.stop - NAT_WIDTH)
                topology.move_nat(line, range(begin, begin + NAT_WIDTH))
            case Trouble.RENUMBERED:
                self._renumber(line, str(IPv4Address(line.ip) + 1))
            case _:
                topology.relay(line).set_shapes(_shapes(line, trouble))

    def mend(self, line: AccessLine, trouble: Trouble) -> None:
        """Undo a trouble. Raises LabError."""
        match trouble:
            case Trouble.NAT_MOVED:
                self._lab.topology.restore_nat(line)
            case Trouble.RENUMBERED:
                self._renumber(line, line.ip)
            case _:
                self._lab.topology.reset(line)

    def _renumber(self, line: AccessLine, ip: str) -> None:
        bond = self._api.bond(self._lab.record.bond_id)
        leg = next(leg for leg in bond.leg_list if leg.interface == line.interface)
        if line.addressing is Addressing.DHCP:
            self._lab.topology.lease(line, ip)
            self._api.post(f"{leg.url}renew/", {}, msgspec.Raw)
        else:
            self._api.patch(leg.url, {"ip": ip}, LegView)


def _shapes(line: AccessLine, trouble: Trouble) -> Shapes:
    whole = Shape(delay_ms=line.delay_ms)
    cut = Shape(delay_ms=line.delay_ms, is_cut=True)
    match trouble:
        case Trouble.DEAD_UP:
            return Shapes(up=cut, down=whole)
        case Trouble.DEAD_DOWN:
            return Shapes(up=whole, down=cut)
        case Trouble.LOSSY:
            way = Shape(delay_ms=line.delay_ms, loss_percent=LOSS_PERCENT)
        case Trouble.DELAYED:
            way = Shape(delay_ms=line.delay_ms + DELAY_MORE_MS)
        case Trouble.NARROW:
            way = Shape(delay_ms=line.delay_ms, mtu=NARROW_MTU)
        case _:
            way = cut
    return Shapes(up=way, down=way)
