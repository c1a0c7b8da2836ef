"""What every template of the site may use."""

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any

from django.db import Error as DatabaseError
from django.http import HttpRequest

from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import Looks, inherited_looks, root_looks
from openbond.server.spaces.viewer import Viewer

from .branding import COLOUR
from .navigation import Section, sections_for
from .visit import Visit, visit_of

THEME_COOKIE = "theme"
THEMES = ("light", "dark")
PRODUCT = "openbond"
VERSION = version("openbond")


class Site:
    """`openbond` in templates. Asks the database only for what a template shows."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def _visit(self) -> Visit | None:
        return visit_of(self._request)

    @property
    def viewer(self) -> Viewer | None:
        return self._visit.viewer if self._visit else None

    @property
    def space(self) -> Space | None:
        """The space switched to."""
        return self._visit.space if self._visit else None

    @property
    def is_switched(self) -> bool:
        return bool(self._visit and self._visit.is_switched)

    @property
    def theme(self) -> str:
        """`light` or `dark`, or "" to follow the system."""
        chosen = self._request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else ""

    @property
    def version(self) -> str:
        return VERSION

    @cached_property
    def navigation(self) -> list[Section]:
        return sections_for(self.viewer, self._request.path) if self.viewer else []

    @cached_property
    def looks(self) -> Looks | None:
        """Those of the home space; of the root for somebody who is not in yet.

        None where the database does not answer: a page that says so must not need it.
        """
        try:
            return inherited_looks(self.viewer.space_id) if self.viewer else root_looks()
        except DatabaseError:
            return None

    @property
    def product(self) -> str:
        return (self.looks.branding["product_name"] if self.looks else "") or PRODUCT

    @property
    def colour(self) -> str:
        """Six hexadecimal digits, or ""."""
        found = COLOUR.fullmatch(self.looks.branding["color"] if self.looks else "")
        return found[1].lower() if found else ""


def site(request: HttpRequest) -> Mapping[str, Any]:
    return {"openbond": Site(request)}
