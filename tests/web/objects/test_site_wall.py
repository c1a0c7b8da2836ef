"""The wall between spaces, at every page: what is not in reach does not exist there either."""

import logging
from collections.abc import Iterator

import pytest
from django.test import Client

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import update_bond
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from openbond.server.web.objects.names import SOURCES
from tests.contract.wall import Wall, build_wall
from tests.replay import replayed
from tests.web.objects.walking import addresses
from tests.web.signed_in import signed_in
from tests.world import World, create_world

POSTED = {"new", "edit", "delete", "do", "bulk", "columns", "revert", "import"}


@pytest.fixture
def wall(db: None) -> Iterator[Wall]:
    logging.disable(logging.CRITICAL)
    yield replayed(walled)
    logging.disable(logging.NOTSET)


def walled() -> Wall:
    found = build_wall(create_world())
    bond = Bond.objects.get(bonder__name="walled-own-bond-2")
    update_bond(by=SERVER, bond=bond, product="x")
    entry = AuditEntry.objects.get(kind="bond", action="update")
    found.things.ids["audit"] = entry.pk
    return found


def test_one_beside_finds_no_page_and_no_trace(wall: Wall) -> None:
    gil = signed_in(wall.world, "gil")
    marks = wall.hidden_words["sibling"]
    holes: list[tuple[str, int | str]] = []

    for one in addresses():
        path = one.filled(wall.things.ids)
        response = gil.get(path)
        body = b"".join(response).decode()
        is_opened = one.page not in {"bulk", "columns"}
        if one.is_of_a_space and is_opened and response.status_code != 404:
            holes.append((path, response.status_code))
        holes += [(path, mark) for mark in marks if mark in body]

    assert holes == []


def test_one_beside_changes_nothing_by_any_form(wall: Wall) -> None:
    gil = signed_in(wall.world, "gil")
    before = AuditEntry.objects.count()
    statuses = set()

    for one in addresses():
        if one.page in POSTED and one.is_of_a_space:
            response = gil.post(one.filled(wall.things.ids), {"pk": "1", "apply": "1"})
            statuses.add(response.status_code)

    assert statuses == {404}
    assert AuditEntry.objects.count() == before


def test_one_without_permissions_opens_nothing(wall: Wall) -> None:
    nil = signed_in(wall.world, "nil")
    open_to_all = {"audit", "audit.csv", "pick"}
    holes: list[tuple[str, int | str]] = []

    for one in addresses():
        path = one.filled(wall.things.ids)
        response = nil.get(path)
        body = b"".join(response).decode()
        if one.name not in open_to_all and response.status_code not in {403, 404, 405}:
            holes.append((path, response.status_code))
        holes += [(path, mark) for mark in wall.hidden_words["sibling"] if mark in body]

    assert [hole for hole in holes if "bulk" not in hole[0]] == []


def test_nobody_is_sent_to_sign_in_from_every_page(wall: Wall) -> None:
    client = Client()

    answers = {client.get(one.filled(wall.things.ids)).status_code for one in addresses()}

    assert answers == {302}


def test_nothing_out_of_reach_is_offered_to_choose(wall: Wall) -> None:
    gil = signed_in(wall.world, "gil")

    found = {kind: gil.get(f"/pick/{kind}/?q=walled").content.decode() for kind in SOURCES}

    assert not any("walled" in text for text in found.values())
    assert 'value="' not in found["bonds"]


def test_a_form_cannot_name_what_is_out_of_reach(wall: Wall) -> None:
    gil = signed_in(wall.world, "gil")
    form = {
        "name": "mine",
        "aggregator": f"#{wall.things.ids['aggregators']}",
        "secondary_aggregator": "walled-shared-agg",
        "space": f"#{wall.things.ids['spaces']}",
        "qos_profile": f"#{wall.things.ids['qos']}",
    }

    response = gil.post("/bonds/new/", form)

    page = response.content.decode()
    assert response.status_code == 400
    # Beside the field, and in the summary.
    assert page.count("There is no aggregator of this name in reach.") == 2
    assert page.count("Invalid hyperlink - Object does not exist.") == 6
    assert not Bond.objects.filter(bonder__name="mine").exists()


def test_rows_out_of_reach_cannot_be_changed_in_bulk(wall: Wall) -> None:
    gil = signed_in(wall.world, "gil")
    theirs = Bond.objects.get(pk=wall.things.ids["bonds"])

    response = gil.post(
        "/bonds/bulk/", {"pk": str(theirs.pk), "apply": "1", "change": "note", "note": "mine"}
    )

    assert response.status_code == 400
    assert "It is not there any more." in response.content.decode()
    theirs.refresh_from_db()
    assert theirs.note == "walled-own-note"


def test_a_forged_post_is_refused_everywhere(wall: Wall) -> None:
    admin = signed_in(wall.world, "admin", checks_csrf=True)
    before = AuditEntry.objects.count()
    pages = [one for one in addresses() if one.page in POSTED]

    answers = {admin.post(one.filled(wall.things.ids), {}).status_code for one in pages}

    assert {one.page for one in pages} == POSTED
    assert answers == {403}
    assert AuditEntry.objects.count() == before


def test_a_shared_object_is_read_and_its_forms_are_refused(wall: Wall) -> None:
    kim = signed_in(wall.world, "kim")
    path = f"/aggregators/{wall.things.ids['aggregators']}/"

    page = kim.get(path).content.decode()

    assert "walled-shared-agg" in page
    assert f'{path}edit/"' not in page
    assert f'{path}delete/"' not in page
    assert kim.get(f"{path}edit/").status_code == 403
    assert kim.post(f"{path}edit/", {}).status_code == 403
    assert kim.post(f"{path}delete/", {}).status_code == 403


def test_buttons_that_one_may_not_use_are_not_shown(world: World) -> None:
    world.restrict("ana", "view_bond", "view_leg")
    ana = signed_in(world, "ana")

    page = ana.get(f"/bonds/{world.bond.pk}/").content.decode()
    listed = ana.get("/bonds/").content.decode()

    for word in ("edit/", "delete/", "do/restart/"):
        assert f'/bonds/{world.bond.pk}/{word}"' not in page
    assert 'href="/bonds/new/"' not in listed
    assert "Change the chosen" not in listed
    assert ana.get(f"/bonds/{world.bond.pk}/edit/").status_code == 403
    assert ana.get("/bonds/new/").status_code == 403
    assert ana.post("/bonds/bulk/", {"pk": str(world.bond.pk)}).status_code == 403
    assert ana.post(f"/bonds/{world.bond.pk}/do/restart/").status_code == 403
