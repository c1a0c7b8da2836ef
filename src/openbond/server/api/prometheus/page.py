"""/metrics: what the owner of a token reaches, and no more."""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version

from django.http import HttpResponse
from rest_framework.request import Request

from openbond.server.api.authentication import Credentials, Login
from openbond.server.api.negotiation import JSON
from openbond.server.api.view import Door
from openbond.server.fleet.selectors import config_update_counts
from openbond.server.spaces.models import User
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.tasks import task_counts
from openbond.server.telemetry.rules.newest import Means
from openbond.server.telemetry.rules.series import ITSELF, Told
from openbond.server.telemetry.selectors.newest import (
    bonds_by_aggregator,
    bonds_seen,
    legs_seen,
    newest_of,
    nodes_seen,
)
from openbond.wire.states import NodeKind

from . import families
from .process import add_process
from .text import CONTENT_TYPE, Page, labels

ENDS = {Told.BOND_BY_BONDER: "bonder", Told.BOND_BY_AGGREGATOR: "aggregator"}
VIEW_NODES = {NodeKind.BONDER: "view_bonder", NodeKind.AGGREGATOR: "view_aggregator"}


class BearerCredentials(Credentials):
    """As everywhere; a token may also come as Prometheus sends it, by itself, as Bearer."""

    def authenticate(self, request: Request) -> tuple[User, Login] | None:
        scheme, _, rest = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() == "bearer":
            request.META["HTTP_AUTHORIZATION"] = f"Token {rest.strip()}"
        return super().authenticate(request)


class Metrics(Door):
    """Everything in reach that the codes of the viewer open, as text for Prometheus."""

    authentication_classes = [BearerCredentials]

    def negotiate(self, request: Request) -> None:
        """There is one format, whatever a scraper asks for; faults are told in JSON."""
        request.accepted_renderer, request.accepted_media_type = self.get_renderers()[0], JSON

    def retrieve(self, request: Request) -> HttpResponse:
        page = Page()
        scrape = Scrape(self.viewer, self.fresh_since)
        scrape.add_nodes(page)
        scrape.add_bonds(page)
        scrape.add_server(page)
        return HttpResponse(page.text(), content_type=CONTENT_TYPE)


class Scrape:
    """One look at everything; what was told before `since` is too old to be shown."""

    def __init__(self, viewer: Viewer, since: datetime) -> None:
        self._viewer = viewer
        self._since = since

    def add_nodes(self, page: Page) -> None:
        names: dict[int, str] = {}
        for kind, code in VIEW_NODES.items():
            for node in nodes_seen(self._viewer, kind) if self._viewer.can(code) else ():
                given = labels(node=node.id, kind=kind.value, name=node.name, space=node.space)
                names[node.id] = given
                last = node.last_connected
                page.add(families.NODE_CONNECTED, int(bool(last and last >= self._since)), given)
                if last is not None:
                    page.add(families.NODE_LAST_CONTACT, round(last.timestamp(), 3), given)
        for _, node_id, told in newest_of([Told.NODE], list(names), since=self._since):
            _add_means(page, Told.NODE, told, {ITSELF: names[node_id]})
        if self._viewer.can("view_aggregator"):
            for node_id, count in bonds_by_aggregator(self._viewer).items():
                page.add(families.AGGREGATOR_BONDS, count, names[node_id])

    def add_bonds(self, page: Page) -> None:
        if not self._viewer.can("view_bond"):
            return
        given: dict[int, dict[int, str]] = {}
        for bond in bonds_seen(self._viewer, since=self._since):
            name = labels(bond=bond.id, name=bond.name)
            given[bond.id] = {ITSELF: name}
            page.add(families.BOND_UP, int(bond.status == "up"), name)
            more = labels(space=bond.space, aggregator=bond.aggregator)
            page.add(families.BOND_INFO, 1, f"{name},{more}")
        for leg in (
            legs_seen(self._viewer, since=self._since) if self._viewer.can("view_leg") else ()
        ):
            if leg.bond_id in given:
                of_bond = given[leg.bond_id][ITSELF]
                name = f"{of_bond},{labels(leg=leg.id, interface=leg.interface, type=leg.type)}"
                given[leg.bond_id][leg.id] = name
                page.add(families.LEG_STATE, 1, f"{name},{labels(state=leg.state)}")
        for told, bond_id, means in newest_of(list(ENDS), list(given), since=self._since):
            end = labels(end=ENDS[told])
            named = {owner: f"{name},{end}" for owner, name in given[bond_id].items()}
            _add_means(page, told, means, named)

    def add_server(self, page: Page) -> None:
        """Add what is of the installation: config updates in reach, and for the root the rest."""
        page.add(families.BUILD, 1, labels(version=version("openbond")))
        if self._viewer.can("view_systemstatus"):
            for status, count in config_update_counts(self._viewer).by_status.items():
                page.add(families.UPDATES, count, labels(status=status))
            if self._viewer.is_root:
                for status, count in task_counts().items():
                    page.add(families.TASKS, count, labels(status=status))
                add_process(page)


def _add_means(page: Page, told: Told, means: Means, named: Mapping[int, str]) -> None:
    for owner, values in means.items():
        given = named.get(owner)
        if given is None:  # a leg that was deleted, or one that the viewer may not see
            continue
        for series, value in values.items():
            shown = families.shown(told, series, is_leg=owner != ITSELF)
            if shown is not None:
                label = f"{given},{shown.label}" if shown.label else given
                page.add(shown.family, value * shown.factor, label)
