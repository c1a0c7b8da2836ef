"""Counts of a space, alone and with all below it (07-people-spaces.md, 5)."""

from functools import cached_property

from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api.view import Door
from openbond.server.bonds.selectors import bond_statistics, leg_statistics
from openbond.server.fleet.selectors import node_statistics
from openbond.server.ipam.models import UseKind
from openbond.server.ipam.selectors import use_statistics
from openbond.server.measurement.selectors import speed_test_statistics
from openbond.server.qos.selectors import qos_profile_statistics
from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import RollUp
from openbond.server.spaces.selectors import user_statistics
from openbond.wire.states import LinkMode, NodeKind

from .parents import space_of

MODES = [mode.value for mode in LinkMode]
Shown = dict[str, object]


class OfSpace(Door):
    """Something that is counted of the space of the path."""

    codes = {"retrieve": "view_space"}

    @cached_property
    def space(self) -> Space:
        return space_of(self)

    def check_in_sight(self) -> None:
        space_of(self)


class Statistics(OfSpace):
    """Index of the statistics of a space."""

    def retrieve(self, request: Request, **path: object) -> Response:
        below = f"spaces/{self.space.pk}/statistics"
        return Response({name: self.links.to(f"{below}/{name}") for name in STATISTICS})


class Counts(OfSpace):
    """Counts of a space, `local` and with all spaces below it."""

    def counted(self) -> RollUp:
        raise NotImplementedError

    def shown(self, counts: dict[str, int]) -> Shown:
        return {**counts}

    def retrieve(self, request: Request, **path: object) -> Response:
        rolled = self.counted()
        return Response(
            {
                "local": self.shown(rolled.local),
                "including_child_spaces": self.shown(rolled.including_child_spaces),
            }
        )


class UserCounts(Counts):
    def counted(self) -> RollUp:
        return user_statistics(self.space)


class BondCounts(Counts):
    def counted(self) -> RollUp:
        return bond_statistics(self.space)


class QosProfileCounts(Counts):
    def counted(self) -> RollUp:
        return qos_profile_statistics(self.space)


class SpeedTestCounts(Counts):
    def counted(self) -> RollUp:
        return speed_test_statistics(self.space)


class AggregatorCounts(Counts):
    def counted(self) -> RollUp:
        return node_statistics(self.space, NodeKind.AGGREGATOR, now=self.now)


class BonderCounts(Counts):
    def counted(self) -> RollUp:
        return node_statistics(self.space, NodeKind.BONDER, now=self.now)


class ConnectedIpCounts(Counts):
    def counted(self) -> RollUp:
        return use_statistics(self.space, UseKind.CONNECTED_IP)


class RouteCounts(Counts):
    def counted(self) -> RollUp:
        return use_statistics(self.space, UseKind.ROUTE)

    def shown(self, counts: dict[str, int]) -> Shown:
        return {"count": counts["count"]}


class CpeNatIpCounts(RouteCounts):
    def counted(self) -> RollUp:
        return use_statistics(self.space, UseKind.CPE_NAT_IP)


class LegCounts(Counts):
    def counted(self) -> RollUp:
        return leg_statistics(self.space)

    def shown(self, counts: dict[str, int]) -> Shown:
        modes = {mode: counts[mode] for mode in MODES}
        return {name: counts[name] for name in counts if name not in modes} | {"link_mode": modes}


# In the order of the contract.
STATISTICS: dict[str, type[Counts]] = {
    "users": UserCounts,
    "bonds": BondCounts,
    "qos_profiles": QosProfileCounts,
    "speed_tests": SpeedTestCounts,
    "aggregators": AggregatorCounts,
    "connected_ips": ConnectedIpCounts,
    "routes": RouteCounts,
    "cpe_nat_ips": CpeNatIpCounts,
    "legs": LegCounts,
    "bonders": BonderCounts,
}
