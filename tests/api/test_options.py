"""OPTIONS tells what a URI takes, to whoever can see it (00-general.md, 8)."""

from datetime import timedelta

from django.test import Client

from openbond.server.spaces.services import create_token
from openbond.server.system.actors import SERVER
from tests.world import World

BONDS = "/api/v3/bonds/"


def test_a_collection_describes_what_may_be_posted(world: World) -> None:
    body = world.client("ana").options(BONDS).json()

    assert body["description"] == "Bonds"
    assert body["renders"] == ["application/json"]
    assert body["parses"] == [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ]
    post = body["actions"]["POST"]
    assert post["aggregator"] == {
        "type": "field",
        "required": True,
        "read_only": False,
        "label": "Aggregator",
    }
    assert post["reorder_max_hold"] == {
        "type": "integer",
        "required": False,
        "read_only": False,
        "label": "Reorder max hold",
        "help_text": "milliseconds; 0 = no reordering",
        "min_value": 0,
        "max_value": 1000,
    }
    assert post["tunnel_security"]["type"] == "choice"
    assert post["tunnel_security"]["choices"] == [
        {"value": word, "display_name": word} for word in ("none", "hmac", "encryption")
    ]
    assert post["packet_loss_threshold"]["type"] == "float"
    assert post["packet_loss_threshold"]["min_value"] == 0.1
    assert post["created"]["type"] == "datetime"
    assert post["bonder"]["type"] == "nested object"
    assert set(post["bonder"]["children"]) >= {"id", "url", "name", "key"}
    assert post["leg_list"]["type"] == "list"


def test_an_item_describes_what_may_be_put(world: World) -> None:
    body = world.client("ana").options(f"{BONDS}{world.bond.pk}/").json()

    assert set(body["actions"]) == {"PUT"}


def test_actions_are_absent_for_who_may_not_write(world: World) -> None:
    world.restrict("ana")
    client = world.client("ana")

    for path in (BONDS, f"{BONDS}{world.bond.pk}/"):
        assert client.options(path).status_code == 200
        assert "actions" not in client.options(path).json()


def test_an_object_out_of_reach_is_404(world: World) -> None:
    gil = world.client("gil")

    assert gil.options(f"{BONDS}{world.bond.pk}/").status_code == 404
    assert gil.options(f"{BONDS}{world.bond.pk}/dhcp_legs/").status_code == 404
    leg = f"{BONDS}{world.bond.pk}/legs/{world.dhcp_leg.pk}/"
    assert gil.options(f"{leg}state_history/").status_code == 404
    assert gil.options(f"{leg}detect_mtus/").status_code == 404


def test_an_action_takes_no_fields(world: World) -> None:
    body = world.client("ana").options(f"{BONDS}{world.bond.pk}/restart/").json()

    assert "actions" not in body


def test_a_put_asks_for_no_more_than_it_needs(world: World) -> None:
    path = f"{BONDS}{world.bond.pk}/pppoe_legs/"
    client = world.client("ana")

    post = client.options(path).json()["actions"]["POST"]
    put = client.options(f"{path}{world.pppoe_leg.pk}/").json()["actions"]["PUT"]

    assert (post["password"]["required"], put["password"]["required"]) == (True, False)
    assert (post["username"]["required"], put["username"]["required"]) == (True, True)
    assert (put["username"]["min_length"], put["username"]["max_length"]) == (1, 255)
    assert "min_length" not in put["note"]


def test_a_read_only_token_is_offered_nothing(world: World) -> None:
    issued = create_token(
        by=SERVER,
        owner=world.user("ana"),
        name="script",
        expires=world.now + timedelta(days=1),
        read_only=True,
    )
    client = Client(headers={"Authorization": f"Token {issued.text}"})

    for path in (BONDS, f"{BONDS}{world.bond.pk}/"):
        assert client.options(path).status_code == 200
        assert "actions" not in client.options(path).json()
