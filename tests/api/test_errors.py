"""Errors in two shapes, and the order in which they are found (00-general.md, 9)."""

from typing import Any

import pytest
from django.db import OperationalError

from openbond.server.bonds import selectors
from tests.world import World

JSON = "application/json"


def bond(world: World) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/"


def test_the_order_of_checks(world: World) -> None:
    """Every request has all faults but those already met; the earliest is told."""
    ana = world.client("ana")
    gil = world.client("gil")
    faulty: dict[str, Any] = {"data": "<x/>", "content_type": "application/xml"}
    html = {"Accept": "text/html"}
    stale = {"If-Match": '"old"'}

    def code(response: Any) -> tuple[int, str]:
        return response.status_code, response.json()["code"]

    unknown = world.nobody().generic("PATCH", "/api/v3/nowhere/", headers=html, **faulty)
    nobody = world.nobody().generic("LINK", bond(world), headers=html, **faulty)
    wrong_method = ana.generic("LINK", bond(world), headers=html, **faulty)
    not_acceptable = gil.generic("PATCH", bond(world), headers=html, **faulty)
    not_there = gil.generic("PATCH", bond(world), headers=stale, **faulty)
    stale_write = ana.generic("PATCH", bond(world), headers=stale, **faulty)
    wrong_type = ana.generic("PATCH", bond(world), **faulty)
    world.restrict("gil", "view_bond")
    not_allowed = gil.generic("PATCH", bond(world), headers=stale, **faulty)

    assert code(unknown) == (404, "not_found")
    assert code(nobody) == (401, "not_authenticated")
    assert code(wrong_method) == (405, "method_not_allowed")
    assert code(not_acceptable) == (406, "not_acceptable")
    assert code(not_allowed) == (403, "permission_denied")
    assert code(not_there) == (404, "not_found")
    assert code(stale_write) == (412, "precondition_failed")
    assert code(wrong_type) == (415, "unsupported_media_type")


def test_validation_comes_before_the_state_of_things(world: World) -> None:
    world.bond.tuning_in_progress = True
    world.bond.save()
    client = world.client("ana")

    invalid = client.patch(bond(world), {"compression": "x"}, JSON)
    locked = client.patch(bond(world), {"compression": True}, JSON)

    assert invalid.json() == {"compression": ["Must be a valid boolean."]}
    assert (locked.status_code, locked.json()["code"]) == (400, "tuning_in_progress")


def test_a_fault_of_the_server_says_nothing_of_its_inside(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(selectors, "bonds_in_reach", fail)

    response = world.client("ana").get(bond(world), headers={"X-Request-Id": "request-4711"})

    assert response.status_code == 500
    assert response["Content-Type"] == "application/json"
    assert set(response.json()) == {"detail", "code"}
    assert response.json()["code"] == "server_error"
    assert "secret" not in response.content.decode()
    assert "request-4711" in response.json()["detail"]
    assert response["X-Request-Id"] == "request-4711"
    assert "request-4711" in caplog.text


def test_a_locked_database_is_503_and_says_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(selectors, "bonds_in_reach", fail)

    response = world.client("ana").get(bond(world))

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response["Retry-After"]) > 0


def test_a_request_id_of_nonsense_is_replaced(world: World) -> None:
    response = world.client("ana").get(bond(world), headers={"X-Request-Id": "a b\tc"})

    assert len(response["X-Request-Id"]) == 32


def test_an_unknown_host_is_a_bad_host(world: World, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["mgmt.example.net"]

    known = world.client("ana").get(bond(world), headers={"Host": "mgmt.example.net:8443"})
    unknown = world.client("ana").get(bond(world), headers={"Host": "evil.example"})

    assert known.status_code == 200
    assert known.json()["url"] == f"http://mgmt.example.net:8443{bond(world)}"
    assert (unknown.status_code, unknown.json()["code"]) == (400, "bad_host")


def test_forwarded_headers_count_only_from_a_configured_proxy(world: World, settings: Any) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "mgmt.example.net"}

    ignored = world.client("ana").get(bond(world), headers=forwarded).json()
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    trusted = world.client("ana").get(bond(world), headers=forwarded).json()

    assert ignored["url"] == f"http://testserver{bond(world)}"
    assert trusted["url"] == f"https://mgmt.example.net{bond(world)}"


@pytest.mark.parametrize("path", ["/api//v3///bonds/", "/api/v3/bonds//"])
def test_repeated_slashes_count_as_one(path: str, world: World) -> None:
    assert world.client("ana").get(path).status_code == 200
    assert world.client("ana").get(path.rstrip("/")).status_code == 301


def test_an_id_longer_than_any_number_names_nothing(world: World) -> None:
    client = world.client("ana")

    assert client.get(f"/api/v3/bonds/{10**17}/").status_code == 404
    assert client.get(f"/api/v3/bonds/{10**40}/").status_code == 404
