"""Every page of every resource: it opens, costs few queries, and escapes what it shows."""

import csv
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from openbond.lab.bench.server import rows_in
from openbond.server.bonds.services import create_bond, update_bond
from openbond.server.fleet.models import Node
from openbond.server.ipam.models import IPAllocation
from openbond.server.spaces.models import Group, Space, User
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.contract.things import things_of_acme
from tests.queries import queries_of
from tests.web.objects.walking import Address, addresses
from tests.web.signed_in import signed_in
from tests.world import World

PINS = Path(__file__).with_name("page_queries.tsv")
FEW, MANY = 10, 1000
LOCKS = 4
# A name that is a script, if anything lets it through.
EVIL = "<script>alert(1)</script>\"'&"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def ids(world: World) -> dict[str, int]:
    found = things_of_acme(world)
    update_bond(by=SERVER, bond=world.bond, note="changed")
    entry = AuditEntry.objects.get(kind="bond", action="update")
    return {**found, "groups": Group.objects.get(name="View").pk, "audit": entry.pk}


def read_pages() -> list[Address]:
    """Return the addresses that are opened; the others are only sent to."""
    return [address for address in addresses() if address.page not in {"columns", "bulk"}]


def test_what_people_write_is_text_on_every_page(world: World, ids: dict[str, int]) -> None:
    Node.objects.filter(name__startswith="acme").update(serial_number=EVIL)
    Space.objects.filter(pk=world.acme.pk).update(name=EVIL, note=EVIL, crm_id=EVIL)
    bond = world.user("ana").space.bonds.first() or world.bond
    update_bond(by=SERVER, bond=bond, note=EVIL, circuit_id=EVIL, product=EVIL, name=EVIL)
    Group.objects.filter(pk=ids["groups"]).update(name=EVIL)
    User.objects.filter(pk=ids["users"]).update(first_name=EVIL, last_name=EVIL)
    IPAllocation.objects.update(note=EVIL)
    admin = signed_in(world, "admin")

    shown = [admin.get(one.filled(ids)).content.decode() for one in pages_of_html()]

    assert sum(ESCAPED in page for page in shown) > 15
    assert not any("<script>alert" in page for page in shown)
    search = admin.get("/bonds/", {"search": EVIL, "ordering": EVIL, "space": EVIL})
    assert "<script>alert" not in search.content.decode()


def pages_of_html() -> list[Address]:
    """Return the pages that show what people wrote."""
    return [one for one in read_pages() if one.page in {"list", "one", "edit", "tree", "revert"}]


def pinned() -> dict[str, int]:
    with PINS.open() as table:
        rows = csv.DictReader(table, dialect="excel-tab")
        return {row["page"]: int(row["queries"]) for row in rows}


@pytest.mark.timeout(600)  # every page, twice
def test_every_page_opens_and_asks_no_more_for_a_thousand_objects_than_for_ten(
    world: World, ids: dict[str, int]
) -> None:
    admin = signed_in(world, "admin")
    pages = {one.name: one.filled(ids) for one in read_pages()}
    counts: list[dict[str, int]] = []

    for number in (FEW, MANY):
        grow(world, number)
        counts.append({name: asked(admin, path) for name, path in pages.items()})

    few, many = counts
    worst = {name: max(few[name], many[name]) for name in pages}
    pins = pinned()
    assert {name for name in worst if worst[name] > pins[name]} == set()
    # PostgreSQL takes locks by name, which SQLite needs not: the pins are those of the two.
    assert {name for name in worst if worst[name] < pins[name] - LOCKS} == set()
    assert pins.keys() == worst.keys()


def asked(client: Client, path: str) -> int:
    """Return how many queries a page takes, its stream read to the end."""

    def read() -> None:
        response = client.get(path)
        assert response.status_code in {200, 302}, path
        b"".join(response)

    return len(queries_of(read))


def grow(world: World, number: int) -> None:
    """See to `number` objects of the lists that grow: bonds with all below them, and others."""
    missing = number - world.acme.bonds.count()
    if number == MANY:
        rows_in.make_bonds([world.acme.pk], missing, world.home, start=10 * FEW)
    else:
        for _ in range(missing):
            create_bond(by=SERVER, aggregator=world.home, space=world.acme)
    now = timezone.now()
    Space.objects.bulk_create(
        Space(name=f"s{number}-{at}", key=f"s{number}-{at}", parent=world.acme, level=2)
        for at in range(number - Space.objects.count())
    )
    User.objects.bulk_create(
        User(email=f"u{number}-{at}@example.net", space=world.acme)
        for at in range(number - User.objects.count())
    )
    Group.objects.bulk_create(
        Group(name=f"g{number}-{at}") for at in range(number - Group.objects.count())
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now, actor_name="x", action="update", kind="bond", object_id=world.bond.pk,
            object_name="x", space=world.acme, before={"note": "a"}, after={"note": "b"},
        )
        for _ in range(number - AuditEntry.objects.count())
    )  # fmt: skip
