"""What live pages show: how each is looked at, and how it is drawn."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from django.template.loader import render_to_string

from openbond.server.spaces.viewer import Viewer
from openbond.server.web.bonds.look import look_at_bond

from .views import look_at

PREFIX = "/events/"
DASHBOARD = f"{PREFIX}dashboard/"
BOND = re.compile(rf"{PREFIX}bonds/([0-9]{{1,18}})/")


class Scene(Protocol):
    """What can be looked at from many seats; equal ones are the same page.

    `event`: the name of what is sent. `is_narrow`: seen from the space switched to, not from home.
    """

    event: ClassVar[str]
    is_narrow: ClassVar[bool]

    def look(self, viewer: Viewer, now: datetime) -> object:
        """Return what is seen, a value that can be compared; None: it is not there."""

    def drawn(self, seen: object) -> str:
        """Return the markup of what was seen."""


@dataclass(frozen=True, slots=True)
class DashboardScene:
    event: ClassVar[str] = "dashboard"
    is_narrow: ClassVar[bool] = True

    def look(self, viewer: Viewer, now: datetime) -> object:
        return look_at(viewer, now)

    def drawn(self, seen: object) -> str:
        return render_to_string("web/dashboard/live.html", {"look": seen})


@dataclass(frozen=True, slots=True)
class BondScene:
    bond_id: int
    event: ClassVar[str] = "bond"
    is_narrow: ClassVar[bool] = False

    def look(self, viewer: Viewer, now: datetime) -> object:
        return look_at_bond(viewer, self.bond_id, now)

    def drawn(self, seen: object) -> str:
        return render_to_string("web/bonds/live.html", {"look": seen})


def scene_at(path: str) -> Scene | None:
    """Return what an address shows; None for one that shows nothing."""
    if path == DASHBOARD:
        return DashboardScene()
    found = BOND.fullmatch(path)
    return BondScene(int(found[1])) if found else None
