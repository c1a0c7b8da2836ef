"""Lists of bonds below aggregators and QoS profiles (01-fleet.md 3.1, 06-qos-mobile.md 1.5)."""

from typing import ClassVar

from django.db.models import QuerySet
from django.http import Http404

from openbond.server.bonds.models import Bond
from openbond.server.fleet.selectors import aggregators_visible_to
from openbond.server.qos.selectors import qos_profiles_visible_to

from .bonds import BondRows


class BondsOfParent(BondRows):
    """Bonds within reach that name the object of the path in one of their relations."""

    parent_code: ClassVar[str]
    relation: ClassVar[str]

    def may_call(self, handler: str) -> bool:
        return self.viewer.can(self.parent_code) and self.viewer.can("view_bond")

    def has_parent(self) -> bool:
        raise NotImplementedError

    def rows(self) -> QuerySet[Bond]:
        if not self.has_parent():
            raise Http404
        return super().rows().filter(**{self.relation: self.kwargs["pk"]})


class BondsOfAggregator(BondsOfParent):
    """Bonds whose primary aggregator it is."""

    parent_code = "view_aggregator"
    relation = "aggregator"

    def has_parent(self) -> bool:
        return aggregators_visible_to(self.viewer).filter(pk=self.kwargs["pk"]).exists()


class BondsSecondaryOfAggregator(BondsOfAggregator):
    """Bonds whose secondary aggregator it is."""

    relation = "secondary_aggregator"


class BondsCurrentOfAggregator(BondsOfAggregator):
    """Bonds that run on the aggregator now."""

    relation = "current_aggregator"


class BondsOfQosProfile(BondsOfParent):
    """Bonds that use the QoS profile."""

    parent_code = "view_qosprofile"
    relation = "qos_profile"

    def has_parent(self) -> bool:
        return qos_profiles_visible_to(self.viewer).filter(pk=self.kwargs["pk"]).exists()
