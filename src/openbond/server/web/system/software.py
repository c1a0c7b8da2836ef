"""Versions: of the server and what it runs on, of the nodes, and of what they could have."""

from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from openbond.server.fleet.selectors import versions_of_nodes
from openbond.server.system import repositories
from openbond.server.system.versions import installed_versions
from openbond.server.web.page import Page

PARTS = {
    "python": "Python",
    "database": "Database",
    "operating_system": "Operating system",
    "kernel": "Kernel",
}


@dataclass(frozen=True, slots=True)
class Installed:
    """How many nodes of a kind run a version, and how it compares with the one to have."""

    kind: str
    version: str
    count: int
    # "older", "newer", "current", or "unknown" of nodes that never reported.
    compared: str
    url: str

    @property
    def state(self) -> str:
        return {"older": "unhealthy", "newer": "unhealthy", "current": "up"}.get(
            self.compared, "unknown"
        )


class Versions(Page):
    code = "view_systemstatus"

    def get(self, request: HttpRequest) -> HttpResponse:
        own = version("openbond")
        offered = repositories.newest_version(settings.STATE_DIR)
        wanted = offered or own
        nodes = [
            _installed(kind, found, count, wanted=wanted)
            for kind, found, count in versions_of_nodes(self.narrow)
        ]
        nodes.sort(key=lambda one: (one.kind, repositories.age_of(one.version)))
        context = {
            "own": own,
            "parts": [(PARTS[name], text) for name, text in installed_versions().items()],
            "offered": offered,
            "wanted": wanted,
            "channels": repositories.channels(settings.STATE_DIR),
            "nodes": nodes,
            "older": sum(one.count for one in nodes if one.compared == "older"),
            "newer": sum(one.count for one in nodes if one.compared == "newer"),
        }
        return self.render("web/system/versions.html", context)


def _installed(kind: str, found: str, count: int, *, wanted: str) -> Installed:
    url = f"{reverse(f'{kind}s')}?{urlencode({'version': found})}" if found else ""
    return Installed(kind, found, count, compared(found, wanted), url)


def compared(found: str, wanted: str) -> str:
    """Return how a version compares with the one to have: numbers as numbers, not as text."""
    if not found:
        return "unknown"
    age, other = repositories.age_of(found), repositories.age_of(wanted)
    return "older" if age < other else "newer" if age > other else "current"
