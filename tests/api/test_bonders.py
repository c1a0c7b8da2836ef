"""Bonders: changed but neither made nor deleted here (01-fleet.md, 4)."""

from openbond.server.fleet.models import Bonder
from tests.world import World, nodes_to_update, settle_updates

JSON = "application/json"


def url(world: World) -> str:
    return f"/api/v3/bonders/{world.bonder.pk}/"


def test_a_change_is_kept_and_told_to_the_bonder(world: World) -> None:
    settle_updates()

    response = world.client("ana").patch(url(world), {"debug": True, "asset_tag": "A-1"}, JSON)

    assert response.status_code == 200
    assert (response.json()["debug"], response.json()["asset_tag"]) == (True, "A-1")
    assert nodes_to_update() == {"site-1"}


def test_its_name_is_that_of_its_bond(world: World) -> None:
    client = world.client("ana")

    client.patch(url(world), {"name": "renamed"}, JSON)

    bond = client.get(f"/api/v3/bonds/{world.bond.pk}/").json()
    assert (bond["name"], bond["bonder"]["name"]) == ("renamed", "renamed")
    assert client.get(url(world)).json()["bond"] == bond["url"]


def test_a_name_of_marks_alone_is_refused(world: World) -> None:
    response = world.client("ana").patch(url(world), {"name": "---"}, JSON)

    assert list(response.json()) == ["name"]


def test_it_may_be_changed_while_its_bond_is_tuned(world: World) -> None:
    world.bond.tuning_in_progress = True
    world.bond.save()

    assert world.client("ana").patch(url(world), {"debug": True}, JSON).status_code == 200


def test_passwords_are_read_and_written_with_codes_of_their_own(world: World) -> None:
    world.restrict("ana", "view_bonder", "change_bonder")
    client = world.client("ana")

    assert not {"username", "password"} & set(client.get(url(world)).json())
    assert client.patch(url(world), {"username": "x"}, JSON).status_code == 403
    world.restrict("ana", "change_bonder", "view_bonder", "change_bonder_credentials")
    assert client.patch(url(world), {"username": "x"}, JSON).status_code == 200
    assert Bonder.objects.get(pk=world.bonder.pk).username == "x"


def test_the_report_interval_is_not_below_the_collection_interval(world: World) -> None:
    response = world.client("ana").patch(url(world), {"metric_collection_interval": 120}, JSON)

    assert list(response.json()) == ["metric_collection_interval"]


def test_another_space_s_bonder_does_not_exist(world: World) -> None:
    gil = world.client("gil")

    assert gil.get(url(world)).status_code == 404
    assert gil.patch(url(world), {"debug": True}, JSON).status_code == 404
    assert not Bonder.objects.get(pk=world.bonder.pk).debug


def test_what_was_read_can_be_put_back_by_who_may_read_passwords_but_not_write_them(
    world: World,
) -> None:
    world.restrict("ana", "view_bonder", "change_bonder", "view_bonder_credentials")
    client = world.client("ana")
    read = client.get(url(world))

    back = client.put(url(world), read.content, content_type=JSON)
    other = client.put(url(world), read.json() | {"password": "x", "debug": True}, JSON)
    blind = client.patch(url(world), {"password": None}, JSON)

    assert "password" in read.json()
    assert (back.status_code, back.json()) == (200, read.json())
    assert (other.status_code, other.json()["code"]) == (403, "permission_denied")
    assert blind.status_code == 403
    assert client.get(url(world)).json() == read.json()


def test_a_password_that_is_not_shown_cannot_be_guessed_by_repeating_it(world: World) -> None:
    world.restrict("ana", "view_bonder", "change_bonder")

    response = world.client("ana").patch(url(world), {"username": "root"}, JSON)

    assert response.status_code == 403
