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


# Key, lowest, highest, and what must hold beside it (rules that join two fields).
NUMBERS: list[tuple[str, int, int, dict[str, int]]] = [
    ("failover_interval", 5, 3600, {"failover_receive_timeout": 1}),
    ("failover_receive_timeout", 1, 60, {"failover_interval": 3600}),
    ("failover_retries", 1, 10, {}),
    ("suspension_percentage", 1, 100, {}),
    ("prevented_downtime_outage_length", 1, 86400, {}),
    ("metric_collection_interval", 1, 3600, {"metric_reporting_interval": 86400}),
    ("metric_reporting_interval", 10, 86400, {"metric_collection_interval": 1}),
    ("node_status_timeout", 30, 3600, {}),
    ("email_port", 1, 65535, {}),
    ("backup_retention", 1, 365, {}),
    ("token_max_lifetime", 1, 3650, {}),
]


@pytest.mark.parametrize(("key", "low", "high", "beside"), NUMBERS, ids=[row[0] for row in NUMBERS])
def test_a_number_is_taken_from_its_lowest_to_its_highest(
    key: str, low: int, high: int, beside: dict[str, int], world: World
) -> None:
    client = world.client("admin")

    def answer(value: object) -> tuple[int, Any]:
        response = client.patch(SETTINGS, {**beside, key: value}, JSON)
        return response.status_code, response.json().get(key)

    assert answer(low) == (200, low)
    assert answer(str(high)) == (200, high)
    least = f"Ensure this value is greater than or equal to {low}."
    most = f"Ensure this value is less than or equal to {high}."
    assert answer(low - 1) == (400, [least])
    assert answer(high + 1) == (400, [most])
    assert answer(10**19) == (400, [most])
    wrong: list[object] = [low + 0.5, "x", True, [low], {}]
    for value in wrong:
        assert answer(value) == (400, ["A valid integer is required."]), value
    assert client.get(SETTINGS).json()[key] == high


TEXTS: list[tuple[str, list[object], list[object]]] = [
    (
        "timezone",
        ["America/Toronto", "UTC"],
        ["", "utc", "Mars", "localtime", "Factory", "../UTC", 1],
    ),
    (
        "server_hostname",
        ["mgmt", "mgmt.example.net", "192.0.2.1", "2001:db8::1", "a" * 63 + ".net"],
        ["", "a b", "-a", "a_b", "192.0.2", "fe80::1%eth0", "a" * 64, "a." * 127, "https://a"],
    ),
    ("email_from", ["", "noc@example.net"], ["noc", "a@b@c", "x" * 243 + "@example.net"]),
    ("email_host", ["localhost", "192.0.2.1"], ["", "a b", "mail:25"]),
    ("email_username", ["", "x" * 255], ["x" * 256, []]),
    ("email_password", ["", "x" * 255], ["x" * 256, {}]),
    ("email_security", ["none", "starttls", "tls"], ["", "ssl", "TLS", True]),
    ("known_hosts", [[], ["192.0.2.1", "ns"], ["a"] * 20], [["a"] * 21, "a", [""], [["a"]], {}]),
    (
        "email_recipients",
        [[], ["a@example.net"], ["a@example.net"] * 20],
        [["a"], ["a@example.net"] * 21, "a@example.net", [None]],
    ),
    ("maintenance_mode", [True, "false", "on", 0], ["yes", "", 2, []]),
    ("known_hosts_enabled", [True, "0"], ["yes", 2]),
    ("allow_suspension", ["true", "1", False], [None, "x"]),
]


@pytest.mark.parametrize(("key", "good", "bad"), TEXTS, ids=[row[0] for row in TEXTS])
def test_every_other_key_takes_what_it_may_and_nothing_else(
    key: str, good: list[object], bad: list[object], world: World
) -> None:
    client = world.client("admin")

    for value in good:
        assert client.patch(SETTINGS, {key: value}, JSON).status_code == 200, value
    before = client.get(SETTINGS)
    for value in [*bad, None]:
        response = client.patch(SETTINGS, {key: value, "failover_retries": 9}, JSON)
        assert (response.status_code, list(response.json())) == (400, [key]), value
    assert client.get(SETTINGS)["ETag"] == before["ETag"]


def test_every_key_of_the_table_was_tried() -> None:
    tried = {row[0] for row in NUMBERS} | {row[0] for row in TEXTS}
    writable = {name for name, field in fields_of("settings").items() if not field.is_read_only}

    assert tried == writable


def test_what_was_set_at_installation_is_ignored(world: World) -> None:
    client = world.client("admin")
    before = client.get(SETTINGS).json()

    sent = {"tunnel_network": "10.0.0.0/8", "management_network": "x"}

    assert client.patch(SETTINGS, sent, JSON).json() == before
    assert client.put(SETTINGS, sent, JSON).json() == before


def test_there_is_nothing_to_post_or_delete(world: World) -> None:
    for method in ("POST", "DELETE"):
        response = world.client("admin").generic(method, SETTINGS, "{}", content_type=JSON)
        assert response.status_code == 405
        assert response["Allow"] == "GET, PUT, PATCH, HEAD, OPTIONS"
