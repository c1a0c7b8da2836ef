"""The wall between spaces: walks every URI, method and asker, and every relation in every body.

The things stand in Acme East. Seven ask for them:

  own       of Acme East, with every permission
  parent    of Acme, above it                  root     of the root, above all
  child     of Depot, below it                 sibling  of Globex, beside it
  barred    of Acme East, without a permission nobody   without credentials

A hole is an answer that the contract does not allow to that asker, or a trace of the things in a
body where there may be none. The walk is an iterator, so that the first hole can end it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network

from django.db import transaction
from django.test import Client

from openbond.server.api.relations import ABSENT
from openbond.server.bonds.services import create_mobile_provider_profile
from openbond.server.ipam.models import IPAllocation
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.spaces.models import Group, Space
from openbond.server.spaces.services import create_space, create_user
from openbond.server.system.actors import SERVER
from tests.contract.things import Things, make_things
from tests.contract.uri_table import METHODS
from tests.contract.walked import HELD, SHAREABLE, Walked, walked_rows, ways_to
from tests.world import EVERYTHING, PASSWORD, World

# Says of what space the asker is; he is told nowhere else without a permission.
SELF = "/api/v3/self/"
# Open to every authenticated user by the contract: indexes, reference lists, oneself.
OPEN = {
    "/api/v3/",
    "/api/v3/permissions/",
    "/api/v3/system/",
    "/api/v3/system/status/",
    "/api/v3/system/tasks/",
    "/api/v3/system/timezones/",
    SELF,
}
# Reserved to the root space, whatever the permissions.
ROOT_ONLY = re.compile(r"/api/v3/(settings|system/status/backups|system/tasks/createisos)/")
EVERY_METHOD = [*METHODS, "HEAD", "OPTIONS"]
READING = {"GET", "HEAD", "OPTIONS"}
# What one of the space and above may be answered: bodies here are empty, so many do not fit.
FREE = {"GET": {200}, "OPTIONS": {200}}
TAKEN = {200, 201, 202, 204, 400}
# What may be answered where no object of theirs is asked for; the body must have no trace.
UNTRACED = {200, 201, 202, 204, 400, 403, 404}
NOT_THERE = 999_999_999
ROWS = walked_rows()
WALKS = (
    *("sibling", "noticed", "mixed", "child", "unshared", "relations", "arguments"),
    *("barred", "nobody", "above"),
)


@dataclass(frozen=True)
class Hole:
    """Who got through, where, and how it showed."""

    asker: str
    method: str
    path: str
    what: str


@dataclass
class Wall:
    """The things, and who walks around them. `requests` counts what was asked."""

    world: World
    things: Things
    beside: Things
    before: dict[str, bytes] = field(default_factory=dict)
    requests: int = 0
    relations: int = 0
    clients: dict[str, Client] = field(default_factory=dict)

    def holes(self, walk: str) -> Iterator[Hole]:
        """Walk one of WALKS."""
        yield from getattr(self, f"_{walk}")()

    # The walks

    def _sibling(self) -> Iterator[Hole]:
        """Beside the things: no object, no trace."""
        for row in ROWS:
            for method in EVERY_METHOD:
                wanted = {404} if row.is_of_a_space else UNTRACED
                yield from self._expect("sibling", method, self.path(row), wanted, row)

    def _mixed(self) -> Iterator[Hole]:
        """Their id below one's own parent, and one's own id below theirs."""
        for row in ROWS:
            for cut in range(1, len(row.words)):
                above, below = row.words[:cut], row.words[cut:]
                for kept in (above, below):
                    ids = self.things.ids | {word: self.beside.ids[word] for word in kept}
                    for method in sorted(row.methods):
                        yield from self._expect("sibling", method, row.filled(ids), {404}, row)

    def _child(self) -> Iterator[Hole]:
        """Below the things: what is shared can be read, and nothing else be seen."""
        for row in ROWS:
            for method in EVERY_METHOD:
                if not row.is_of_a_space:
                    wanted = UNTRACED
                elif not row.is_shareable:
                    wanted = {404}
                else:
                    wanted = {200} if method in READING else {403}
                yield from self._expect("child", method, self.path(row), wanted, row)

    def _unshared(self) -> Iterator[Hole]:
        """The same with every switch off: then nothing of them is there."""
        with transaction.atomic():
            switches = [name for name in vars(self.depot) if name.startswith("use_parent")]
            Space.objects.filter(pk=self.depot.pk).update(**dict.fromkeys(switches, False))
            for row in ROWS:
                for method in sorted(row.methods) if row.is_of_a_space else []:
                    yield from self._expect("child", method, self.path(row), {404}, row)
            transaction.set_rollback(True)

    def _above(self) -> Iterator[Hole]:
        """Of the space and above it: everything is there, so that the wall is no mere refusal."""
        for asker in ("own", "parent", "root"):
            for row in ROWS:
                path = self.path(row)
                for method in [*sorted(row.methods), "OPTIONS"]:
                    yield from self._expect_free(asker, method, path, row)

    def _barred(self) -> Iterator[Hole]:
        """Without a code: refused before anything is looked for."""
        for row in ROWS:
            path = self.path(row)
            for method in EVERY_METHOD:
                if row.uri not in OPEN and method in row.methods:
                    yield from self._lacks_the_code(method, path)
                else:
                    wanted = {200, 404} if method == "OPTIONS" else {200}
                    if method == "HEAD" and row.uri not in OPEN:
                        wanted = {403}
                    yield from self._expect("barred", method, path, wanted, row)

    def _lacks_the_code(self, method: str, path: str) -> Iterator[Hole]:
        """The missing code is told first, also where only the root space may ask."""
        status, body = self._undone("barred", method, path)
        told = json.loads(body).get("code") if status == 403 else None
        if told != "permission_denied":
            yield Hole("barred", method, path, f"{status}: {body[:200]!r}")

    def _nobody(self) -> Iterator[Hole]:
        for row in ROWS:
            for method in EVERY_METHOD:
                yield from self._expect("nobody", method, self.path(row), {401}, None)

    def _relations(self) -> Iterator[Hole]:
        """A relation to them reads the same as one to nothing."""
        for row in ROWS:
            for method in row.written:
                for name, kind in row.relations:
                    if kind != "groups":
                        yield from self._relation("sibling", method, row, name, kind)
                    if kind not in SHAREABLE | {"groups"} and not row.is_of_a_space:
                        yield from self._relation("child", method, row, name, kind)

    def _relation(
        self, asker: str, method: str, row: Walked, name: str, kind: str
    ) -> Iterator[Hole]:
        path = row.filled(self.beside.ids)
        self.relations += 1
        for way in ways_to(kind, self.things.ids[kind], self.things.space.key):
            status, body = self._undone(asker, method, path, {name: way})
            told = json.loads(body).get(name) if status == 400 else None
            if told != [ABSENT]:
                yield Hole(asker, method, path, f"{name}={way!r}: {status} {body[:200]!r}")

    def _arguments(self) -> Iterator[Hole]:
        """Filters and searches tell no more than the list does."""
        for row in ROWS:
            if row.is_list:
                yield from self._argument("sibling", row.filled(self.beside.ids), row)
            if row.is_list and not row.is_of_a_space:
                yield from self._argument("child", self.path(row), row)

    def _argument(self, asker: str, path: str, row: Walked) -> Iterator[Hole]:
        for name, kind in row.filters:
            if asker == "child" and kind in SHAREABLE:
                continue
            wanted = self._ask(asker, "GET", f"{path}?{name}={NOT_THERE}")
            if self._ask(asker, "GET", f"{path}?{name}={self.things.ids[kind]}") != wanted:
                yield Hole(asker, "GET", path, f"the filter {name} tells of {kind}")
        wanted = self._ask(asker, "GET", f"{path}?search={NOT_THERE}")
        for word in self.hidden_words[asker] if row.is_searched else []:
            if self._ask(asker, "GET", f"{path}?search={word}") != wanted:
                yield Hole(asker, "GET", path, f"the search finds {word}")

    def _noticed(self) -> Iterator[Hole]:
        """All that one beside them sees, counts included, is what it was before they came."""
        for path, then in self.before.items():
            now = self._still(path)
            if now != then:
                yield Hole("sibling", "GET", path, f"{then!r} became {now!r}")

    def seen_beside(self) -> dict[str, bytes]:
        """Return every body that one of Globex gets: objects, lists, indexes, counts."""
        paths = [row.filled(self.beside.ids) for row in ROWS if "GET" in row.methods]
        paths.append("/api/v3/groups/?ordering=user_count")
        self._ask("sibling", "GET", "/api/v3/")  # so that his login is noted already
        return {path: self._still(path) for path in paths}

    def _still(self, path: str) -> bytes:
        """Return a body without what the passing of time alone changes."""
        return re.sub(rb'"duration":[0-9]+', b"", self._ask("sibling", "GET", path)[1])

    # How they ask

    def path(self, row: Walked) -> str:
        return row.filled(self.things.ids)

    def _ask(self, asker: str, method: str, path: str, sent: object = None) -> tuple[int, bytes]:
        self.requests += 1
        body = json.dumps({} if sent is None else sent)
        response = self.clients[asker].generic(method, path, body, content_type="application/json")
        if hasattr(response, "streaming_content"):
            return response.status_code, b"".join(response.streaming_content)
        return response.status_code, response.content

    def _expect(
        self, asker: str, method: str, path: str, wanted: set[int], row: Walked | None
    ) -> Iterator[Hole]:
        status, body = self._undone(asker, method, path)
        if row is not None and method not in row.answered:
            wanted = {405}
        if status not in wanted:
            yield Hole(asker, method, path, f"{status}, not {sorted(wanted)}: {body[:200]!r}")
        elif path == SELF:
            return
        elif trace := self._trace(asker, body.decode()):
            yield Hole(asker, method, path, f"the body has {trace}")

    def _expect_free(self, asker: str, method: str, path: str, row: Walked) -> Iterator[Hole]:
        status, body = self._undone(asker, method, path)
        told = json.loads(body).get("code") if status >= 400 else None
        if asker != "root" and method != "OPTIONS" and is_root_only(row, method):
            if told != "root_space_only":
                yield Hole(asker, method, path, f"{status}, not root_space_only")
        elif asker == "own" and HELD in row.uri and method not in READING:
            # A delegation is written by who reaches the giving space (04-routing.md, 5).
            if status != 403:
                yield Hole(asker, method, path, f"{status}, not 403")
        elif told != "no_backup" and status not in FREE.get(method, TAKEN):
            yield Hole(asker, method, path, f"{status}: {body[:200]!r}")

    def _undone(self, asker: str, method: str, path: str, sent: object = None) -> tuple[int, bytes]:
        """Ask, and take back what it may have changed."""
        if method in READING:
            return self._ask(asker, method, path)
        with transaction.atomic():
            answer = self._ask(asker, method, path, sent)
            transaction.set_rollback(True)
        return answer

    def _trace(self, asker: str, body: str) -> str:
        forbidden = self.forbidden.get(asker, [])
        return next((mark for mark in forbidden if mark in body), "")

    @cached_property
    def forbidden(self) -> dict[str, list[str]]:
        """Words that no body for these askers may have."""
        ids, words = self.things.ids, self.hidden_words
        addresses = {
            word: f"/api/v3/{path.format(**ids)}/{ids[word]}/" for word, path in PLACES.items()
        }
        kept = [url for word, url in addresses.items() if word not in SHAREABLE]
        return {
            "sibling": [*words["sibling"], *addresses.values()],
            "child": [*words["child"], *kept],
            "barred": [*words["sibling"], *addresses.values()],
        }

    @cached_property
    def hidden_words(self) -> dict[str, list[str]]:
        things = self.things
        below = [*things.secrets, things.own_mark]
        return {"child": below, "sibling": [*below, things.shared_mark]}

    @cached_property
    def depot(self) -> Space:
        return Space.objects.get(key="depot")


# Where the things of a kind have their addresses.
PLACES = {
    **{
        word: word
        for word in (
            *("aggregators", "bonders", "bonds", "ipallocations", "mobileproviderprofiles"),
            *("nodes", "qos", "routinggroups", "spaces", "users"),
        )
    },
    **{
        word: f"bonds/{{bonds}}/{word}"
        for word in (
            *("dhcp_legs", "static_legs", "pppoe_legs", "mobilebroadband_legs"),
            *("connected_ips", "cpe_nat_ips", "routes", "speedtests", "tuners"),
        )
    },
}


def is_root_only(row: Walked, method: str) -> bool:
    """Groups are read by all, and written from the root alone."""
    is_write = row.uri.startswith("/api/v3/groups/") and method != "GET"
    return is_write or ROOT_ONLY.match(row.uri) is not None


def build_wall(world: World) -> Wall:
    """Make the spaces, the people and the things; note what one beside sees before they come."""
    depot = create_space(
        by=SERVER,
        name="Depot",
        key="depot",
        parent=world.acme_east,
        use_parent_aggregators=True,
        use_parent_qos_profiles=True,
        use_parent_mobile_provider_profiles=True,
    )
    create_mobile_provider_profile(by=SERVER, space=world.root, name="Of all", apn="a.example")
    every = Group.objects.get(name=EVERYTHING)
    for name, space, groups in (("kim", depot, [every]), ("nil", world.acme_east, [])):
        create_user(
            by=SERVER,
            email=f"{name}@example.net",
            username=name,
            space=space,
            groups=groups,
            password=PASSWORD,
        )
    whole = create_allocation(by=SERVER, space=world.root, network=IPv4Network("203.0.113.0/24"))
    assign_routing_group(by=SERVER, allocation=whole, routing_group=world.group)
    half = create_delegation(
        by=SERVER, parent=whole, space=world.acme, network=IPv4Network("203.0.113.0/25")
    )
    beside = make_things(
        world,
        space=world.globex,
        mark="beside",
        held_from=whole,
        part="203.0.113.128/26",
        number=2,
    )
    beside.ids["groups"] = every.pk
    askers = {
        "own": "eve",
        "parent": "ana",
        "root": "admin",
        "child": "kim",
        "sibling": "gil",
        "barred": "nil",
    }
    clients = {asker: world.client(name) for asker, name in askers.items()}
    clients["nobody"] = world.nobody()
    wall = Wall(world=world, things=beside, beside=beside, clients=clients)
    before = wall.seen_beside()
    things = make_things(
        world,
        space=world.acme_east,
        mark="walled",
        held_from=half,
        part="203.0.113.0/26",
        number=1,
    )
    things.ids["groups"] = every.pk
    create_delegation(
        by=SERVER,
        parent=IPAllocation.objects.get(pk=things.ids["delegated_ip_allocations"]),
        space=depot,
        network=IPv4Network("203.0.113.32/27"),
    )
    return Wall(world=world, things=things, beside=beside, clients=clients, before=before)
