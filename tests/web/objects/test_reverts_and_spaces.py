"""Taking changes back out of the audit; the tree of spaces, statistics, free networks."""

import re
from html import unescape
from ipaddress import IPv4Network

import pytest
from django.test import Client

from openbond.server.bonds.services import update_bond, update_leg
from openbond.server.bonds.services.bonds import BondChanges
from openbond.server.ipam.services import create_allocation, create_delegation
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from openbond.server.web.objects.views import spaces as space_pages
from tests.web.objects.test_forms import hidden_in
from tests.web.signed_in import signed_in
from tests.world import World


def last_change(kind: str) -> AuditEntry:
    entry = AuditEntry.objects.filter(kind=kind, action="update").last()
    assert entry is not None
    return entry


def revert_page(client: Client, entry: AuditEntry) -> str:
    response = client.get(f"/audit/{entry.pk}/revert/")
    assert response.status_code == 200
    return response.content.decode()


def test_a_change_of_a_bond_is_taken_back(world: World) -> None:
    ana, bond = signed_in(world, "ana"), world.bond
    wrong = BondChanges(note="wrong", packet_loss_threshold_permille=125, secondary_aggregator=None)
    update_bond(by=SERVER, bond=bond, **wrong)
    entry = last_change("bond")

    page = revert_page(ana, entry)
    response = ana.post(
        f"/audit/{entry.pk}/revert/",
        hidden_in(page) | {"take": ["note", "packet_loss_threshold", "secondary_aggregator"]},
    )

    bond.refresh_from_db()
    assert f"away #{world.away.pk}" in page
    assert response["Location"] == f"/bonds/{bond.pk}/"
    assert (bond.note, bond.packet_loss_threshold_permille) == ("", 50)
    assert bond.secondary_aggregator == world.away
    assert last_change("bond").actor_name == "ana@example.net"


def test_what_was_changed_again_since_is_said_and_left_alone_unless_ticked(world: World) -> None:
    ana, bond = signed_in(world, "ana"), world.bond
    update_bond(by=SERVER, bond=bond, note="first", product="gold")
    entry = last_change("bond")
    update_bond(by=SERVER, bond=bond, note="second")

    page = revert_page(ana, entry)

    assert "changed again since" in page
    assert re.search(r'value="product" checked', page)
    assert not re.search(r'value="note" checked', page)


def test_a_change_between_looking_and_taking_back_is_not_overwritten(world: World) -> None:
    ana, bond = signed_in(world, "ana"), world.bond
    update_bond(by=SERVER, bond=bond, note="first")
    entry = last_change("bond")
    looked_at = hidden_in(revert_page(ana, entry))
    update_bond(by=SERVER, bond=bond, note="second")

    response = ana.post(f"/audit/{entry.pk}/revert/", looked_at | {"take": "note"})

    bond.refresh_from_db()
    assert response.status_code == 400
    assert "The object was changed since this page was made." in response.content.decode()
    assert bond.note == "second"


def test_a_change_of_a_leg_is_taken_back_in_its_own_units(world: World) -> None:
    ana, leg = signed_in(world, "ana"), world.static_leg
    update_leg(by=SERVER, leg=leg, down_kbps=1500, prefix=29)
    entry = last_change("leg")

    page = revert_page(ana, entry)
    ana.post(f"/audit/{entry.pk}/revert/", hidden_in(page) | {"take": ["down_speed", "netmask"]})

    leg.refresh_from_db()
    assert (leg.down_kbps, leg.prefix) == (15_000, 30)


def test_who_may_not_change_bonds_takes_nothing_back(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, note="x")
    entry = last_change("bond")
    world.restrict("ana", "view_bond")
    ana = signed_in(world, "ana")

    assert ana.get(f"/audit/{entry.pk}/").status_code == 200
    assert ana.post(f"/audit/{entry.pk}/revert/", {"take": "note"}).status_code == 403
    world.restrict("ana", "view_leg")
    assert ana.get(f"/audit/{entry.pk}/").status_code == 404


def test_the_audit_of_others_is_not_seen(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, note="of acme")
    entry = last_change("bond")
    gil = signed_in(world, "gil")

    assert "of acme" not in gil.get("/audit/").content.decode()
    assert gil.get(f"/audit/{entry.pk}/").status_code == 404
    assert gil.get(f"/audit/{entry.pk}/revert/").status_code == 404


def spaces_in(page: str) -> list[tuple[str, str]]:
    return re.findall(r'data-depth="(\d)"><a href="/spaces/\d+/">([^<]+)</a>', page)


def test_the_tree_shows_each_space_below_its_parent(world: World) -> None:
    admin, ana = signed_in(world, "admin"), signed_in(world, "ana")

    assert spaces_in(admin.get("/spaces/tree/").content.decode()) == [
        ("0", "Root"),
        ("1", "Acme"),
        ("2", "Acme East"),
        ("1", "Globex"),
    ]
    assert spaces_in(ana.get("/spaces/tree/").content.decode()) == [
        ("0", "Acme"),
        ("1", "Acme East"),
    ]
    assert ana.get(f"/spaces/tree/?at={world.globex.pk}").status_code == 404


def test_a_large_tree_is_shown_one_branch_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space_pages, "MOST", 3)
    admin = signed_in(world, "admin")

    page = admin.get("/spaces/tree/").content.decode()
    branch = admin.get(f"/spaces/tree/?at={world.acme.pk}").content.decode()

    assert spaces_in(page) == [("0", "Root"), ("1", "Acme"), ("1", "Globex")]
    assert f'href="/spaces/tree/?at={world.acme.pk}"' in page
    assert spaces_in(branch) == [("0", "Acme"), ("1", "Acme East")]


def test_statistics_are_those_of_the_api(world: World) -> None:
    told = world.client("ana").get(f"/api/v3/spaces/{world.acme.pk}/statistics/legs/").json()

    page = signed_in(world, "ana").get(f"/spaces/{world.acme.pk}/statistics/").content.decode()

    legs = page.partition(">Legs</h2>")[2].partition("</section>")[0]
    numbers = [int(number) for number in re.findall(r'<td class="number">(\d+)</td>', legs)]
    assert told["local"]["count"] == 3
    assert numbers[:2] == [3, told["including_child_spaces"]["count"]]


def test_a_delegation_is_made_with_the_free_networks_of_the_parent_in_sight(world: World) -> None:
    whole = create_allocation(by=SERVER, space=world.root, network=IPv4Network("203.0.113.0/24"))
    create_delegation(
        by=SERVER, parent=whole, space=world.globex, network=IPv4Network("203.0.113.0/25")
    )
    admin = signed_in(world, "admin")
    path = f"/spaces/{world.acme.pk}/delegated_ip_allocations/new/"

    page = unescape(admin.get(path).content.decode())
    response = admin.post(path, {"network": "203.0.113.128/26"})

    assert "203.0.113.128/25" in page
    assert response.status_code == 302
    assert "203.0.113.192/26" in unescape(admin.get(path).content.decode())


def test_the_form_of_an_address_shows_what_is_free_in_the_space_of_its_bond(world: World) -> None:
    whole = create_allocation(by=SERVER, space=world.root, network=IPv4Network("203.0.113.0/24"))
    part = IPv4Network("203.0.113.0/29")
    create_delegation(by=SERVER, parent=whole, space=world.acme, network=part)

    page = (
        signed_in(world, "ana").get(f"/bonds/{world.bond.pk}/connected_ips/new/").content.decode()
    )

    assert "203.0.113.0/29" in page
