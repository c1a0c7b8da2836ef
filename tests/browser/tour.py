"""The ten main pages of the site, as docs/guide/site-tour.md shows them.

`BOND`, `LEG` and the like in an address are found by name: TourStop.address asks the API.
"""

from dataclasses import dataclass

import httpx

EMAIL = "admin@localhost"


@dataclass(frozen=True, slots=True)
class TourStop:
    """One page: the name of its pictures, its address, what is to be seen before it is taken."""

    name: str
    path: str
    heading: str

    def address(self, ids: dict[str, int]) -> str:
        return self.path.format(**ids)


TOUR = (
    TourStop("dashboard", "/", "Dashboard"),
    TourStop("bonds", "/bonds/", "Bonds"),
    TourStop("bond", "/bonds/{bond}/", "harbour-office"),
    TourStop("legs", "/legs/?state=down", "Legs"),
    TourStop("aggregators", "/aggregators/", "Aggregators"),
    TourStop("edit", "/bonds/{bond}/edit/", "harbour-office"),
    TourStop("spaces", "/spaces/tree/", "Tree of spaces"),
    TourStop("settings", "/system/settings/", "Settings"),
    TourStop("failover", "/system/failover/", "Failover"),
    TourStop("audit", "/audit/", "Audit"),
)


def ids_of(api: httpx.Client, password: str) -> dict[str, int]:
    """Return the ids that addresses name."""
    answer = api.get(
        "/api/v3/bonds/",
        params={"search": "harbour-office"},
        auth=httpx.BasicAuth(EMAIL, password),
    )
    answer.raise_for_status()
    return {"bond": answer.json()[0]["id"]}
