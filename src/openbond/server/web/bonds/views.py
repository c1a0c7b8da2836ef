"""The page of one bond, and the parts that it loads by themselves."""

from dataclasses import replace

from django.http import Http404

from openbond.server.api.resource import Shown
from openbond.server.bonds.selectors import bonds_in_reach
from openbond.server.web.objects.declaring import Related
from openbond.server.web.objects.views.details import Block, DetailPage, Shelf

from .charts import charts_of
from .look import look_at_bond
from .testing import TestForm, choices_for

# The live part shows these, and is never out of date.
SHOWN_LIVE = frozenset({"Now"})
LISTED_LIVE = frozenset({"bond_legs"})
# The part about measuring starts these.
MEASURED_ABOVE = frozenset({"bond_speedtests", "bond_tuners"})


class BondPage(DetailPage):
    """How a bond is now, then its charts, its tests, and all its fields."""

    template = "web/bonds/page.html"

    def more(self) -> dict[str, object]:
        look = look_at_bond(self.viewer, self.kwargs["pk"], self.now)
        if look is None:
            raise Http404
        pk = self.kwargs["pk"]
        return {"look": look, "events": f"/events/bonds/{pk}/", **charts_of(pk), **self._form()}

    def _form(self) -> dict[str, object]:
        """Return the form that starts speed tests, for whoever may."""
        bond = bonds_in_reach(self.viewer).filter(pk=self.kwargs["pk"]).first()
        if bond is None or not self.viewer.can("add_speedtest"):
            return {}
        return {"form": TestForm(), **choices_for(self.viewer, bond)}

    def _blocks(self, shown: Shown) -> list[Block]:
        return [block for block in super()._blocks(shown) if block.title not in SHOWN_LIVE]

    def _shelf(self, related: Related, shown: Shown) -> Shelf | None:
        if related.sheet in LISTED_LIVE:
            return None
        shelf = super()._shelf(related, shown)
        return replace(shelf, new=[]) if shelf and related.sheet in MEASURED_ABOVE else shelf
