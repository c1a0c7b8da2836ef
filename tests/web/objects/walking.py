"""Every address of the pages of resources, with ids of one set of things."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import URLPattern

from openbond.server.web.objects.urls import urlpatterns

PLACE = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
# What may be asked of the objects of a list, as the last word of an address.
ASKED = {"bonds": "restart", "bond_tuners": "cancel", "leg_tuners": "cancel"}


@dataclass(frozen=True)
class Address:
    """One address: its name, and how it is written."""

    name: str
    route: str

    @property
    def sheet(self) -> str:
        return self.name.partition(".")[0]

    @property
    def page(self) -> str:
        """What kind of page it is: list, csv, new, one, edit, delete, do, bulk, columns …"""
        return self.name.partition(".")[2] or "list"

    @property
    def words(self) -> list[str]:
        """The words before ids, which tell what each id is of."""
        return re.findall(r"(\w+)/<(?:id|space):", self.route)

    @property
    def is_of_a_space(self) -> bool:
        """Groups are the installation's."""
        return bool(self.words) and self.words != ["groups"]

    def filled(self, ids: Mapping[str, int]) -> str:
        """Return the path, with the id of each word."""
        path = self.route.replace("<str:action>", ASKED.get(self.sheet, "detect_mtus"))
        path = path.replace("<str:kind>", "bonds")
        for word in self.words:
            known = "leg_tuners" if word == "tuners" and "/legs/" in path else word
            path = re.sub(rf"\b{word}/<(?:id|space):\w+>", f"{word}/{ids[known]}", path, count=1)
        return f"/{path}"


def addresses() -> list[Address]:
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        found.append(Address(str(pattern.name), str(pattern.pattern)))
    return found
