"""Lists that the API has below single bonds, over all bonds in reach at once."""

from typing import Any, ClassVar

from django.db.models import QuerySet

from openbond.server.api import lists
from openbond.server.api.in_process import Place
from openbond.server.api.resource import Collection, Shown
from openbond.server.api.v3.connected_ips import ConnectedIps
from openbond.server.api.v3.cpe_nat_ips import CpeNatIps
from openbond.server.api.v3.legs import Legs
from openbond.server.api.v3.routes import Routes
from openbond.server.api.v3.routing_objects import CPE_NAT_IP_COLUMNS, TIMES, cpe_nat_ip
from openbond.server.api.v3.speed_tests import SpeedTests
from openbond.server.api.v3.tuners import BondTuners, LegTuners
from openbond.server.bonds import selectors
from openbond.server.bonds.models import ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.measurement import selectors as measured
from openbond.server.measurement.models import SpeedTest, Tuning

BOND = {"bond": lists.relation("bond", "bonds")}
SPACE = {"space": lists.space("bond__space")}
ORDER = {"bond": lists.by_text("bond__bonder__name")}


def widened(view: type[Collection[Any]]) -> lists.Listing:
    """Return a listing of objects of one bond, with filters and an order by bond."""
    own = view.listing
    return lists.Listing(
        filters={**BOND, **SPACE, **own.filters},
        search=("bond__bonder__name", *own.search),
        ordering={**own.ordering, **ORDER},
    )


class AllLegs(Legs):
    """Legs of all bonds in reach."""

    listing: ClassVar[lists.Listing] = widened(Legs)

    def rows(self) -> QuerySet[Leg]:
        return selectors.legs_visible_to(self.viewer)


class AllConnectedIps(ConnectedIps):
    """Connected IPs of all bonds in reach."""

    listing = widened(ConnectedIps)

    def rows(self) -> QuerySet[ConnectedIP]:
        return selectors.connected_ips_visible_to(self.viewer)


class AllCpeNatIps(CpeNatIps):
    """CPE NAT IPs of all bonds in reach."""

    listing = widened(CpeNatIps)

    def rows(self) -> QuerySet[CpeNatIP]:
        return selectors.cpe_nat_ips_visible_to(self.viewer)

    def present(self, rows: QuerySet[CpeNatIP]) -> list[Shown]:
        found = list(rows.values(*CPE_NAT_IP_COLUMNS, **TIMES))
        networks = selectors.connected_edges_of({row["bond_id"] for row in found})
        return [cpe_nat_ip(row, self.links, networks.get(row["bond_id"], [])) for row in found]


class AllRoutes(Routes):
    """Routes of all bonds in reach."""

    listing = widened(Routes)

    def rows(self) -> QuerySet[Route]:
        return selectors.routes_visible_to(self.viewer)


class AllSpeedTests(SpeedTests):
    """Speed tests of all bonds in reach."""

    listing = widened(SpeedTests)

    def rows(self) -> QuerySet[SpeedTest]:
        return measured.speed_tests_visible_to(self.viewer)


class AllBondTuners(BondTuners):
    """Tunings of bonds in reach."""

    listing = widened(BondTuners)

    def rows(self) -> QuerySet[Tuning]:
        return measured.bond_tunings_visible_to(self.viewer)


class AllLegTuners(LegTuners):
    """Tunings of legs in reach."""

    listing = widened(LegTuners)

    def rows(self) -> QuerySet[Tuning]:
        return measured.leg_tunings_visible_to(self.viewer)

    def _path(self, row: dict[str, Any]) -> str:
        return f"bonds/{row['bond_id']}/legs/{row['leg_id']}/tuners"


def only_read(view: type[Collection[Any]]) -> Place:
    """Return the place of a list whose objects have their addresses elsewhere."""
    return Place(view=view, of_list={"get": "list_all"})
