"""Settings (08-system.md, 9)."""

from typing import Any

import pytest

from openbond.server.system.selectors import current_settings
from tests.contract.field_tables import fields_of
from tests.world import World

SETTINGS = "/api/v3/settings/"
JSON = "application/json"


def test_it_has_exactly_the_names_of_the_table_with_their_defaults(world: World) -> None:
    table = fields_of("settings")

    answer = world.client("admin").get(SETTINGS).json()

    assert set(answer) == {name for name, field in table.items() if field.is_shown}
    for name, value in answer.items():
        if table[name].default:
            assert value == table[name].default_value, name


def test_put_and_patch_change_what_is_sent_and_leave_the_rest(world: World) -> None:
    client = world.client("admin")
    before = client.get(SETTINGS).json()

    patched = client.patch(SETTINGS, {"failover_retries": "4", "no_such": 1}, JSON).json()
    put = client.put(SETTINGS, {"known_hosts": ["192.0.2.1", "ns.example.net"]}, JSON).json()

    assert patched == before | {"failover_retries": 4}
    assert put == patched | {"known_hosts": ["192.0.2.1", "ns.example.net"]}
    assert client.put(SETTINGS, put, JSON).json() == put


def test_the_mail_password_is_written_and_never_shown(world: World) -> None:
    client = world.client("admin")
    before = client.get(SETTINGS)["ETag"]

    response = client.patch(SETTINGS, {"email_password": "secret"}, JSON)

    assert "secret" not in response.content.decode()
    assert current_settings().email_password == "secret"
    assert response["ETag"] != before


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"failover_receive_timeout": 30}, "failover_receive_timeout"),
        ({"failover_interval": 5}, "failover_interval"),
        ({"metric_collection_interval": 120}, "metric_collection_interval"),
        ({"known_hosts": ["a b"]}, "known_hosts"),
        ({"known_hosts": ["1.2.3"]}, "known_hosts"),
        ({"known_hosts": ["192.0.2.1"] * 21}, "known_hosts"),
        ({"known_hosts": None}, "known_hosts"),
        ({"email_recipients": ["nobody"]}, "email_recipients"),
        ({"email_from": "nobody"}, "email_from"),
        ({"email_port": 0}, "email_port"),
        ({"timezone": "Mars"}, "timezone"),
        ({"server_hostname": ""}, "server_hostname"),
        ({"maintenance_mode": "perhaps"}, "maintenance_mode"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    sent: dict[str, Any], field: str, world: World
) -> None:
    client = world.client("admin")
    before = client.get(SETTINGS).json()

    response = client.patch(SETTINGS, sent | {"failover_retries": 9}, JSON)

    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert client.get(SETTINGS).json() == before


def test_an_old_state_is_not_written_over(world: World) -> None:
    client = world.client("admin")
    old = client.get(SETTINGS)["ETag"]
    client.patch(SETTINGS, {"failover_retries": 4}, JSON)

    response = client.patch(SETTINGS, {"failover_retries": 5}, JSON, headers={"If-Match": old})

    assert response.status_code == 412
    assert current_settings().failover_retries == 4


def test_they_are_for_the_root_space_and_need_their_codes(world: World) -> None:
    assert world.client("ana").get(SETTINGS).json()["code"] == "root_space_only"
    assert world.client("ana").patch(SETTINGS, {}, JSON).json()["code"] == "root_space_only"
    world.restrict("admin", "view_settings")
    assert world.client("admin").get(SETTINGS).status_code == 200
    assert world.client("admin").patch(SETTINGS, {}, JSON).json()["code"] == "permission_denied"


def test_options_offers_put_to_who_may(world: World) -> None:
    body = world.client("admin").options(SETTINGS).json()

    assert set(body["actions"]["PUT"]) == set(fields_of("settings"))
    assert "actions" not in world.client("ana").options(SETTINGS).json()
