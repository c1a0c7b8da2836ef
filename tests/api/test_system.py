"""The system tree, downloads, and self (08-system.md)."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_tasks_db.models import DBTaskResult

from openbond.server.control.authority import Authority
from openbond.server.control.web_tls import web_tls
from openbond.server.fleet.models import Aggregator, AggregatorCheck, ConfigUpdate
from openbond.server.system.models import Alert, Settings
from openbond.server.system.repositories import channels, newest_version
from openbond.server.system.tasks import NoImageBuilder, create_isos
from tests.contract.field_tables import fields_of
from tests.world import World

SYSTEM = "/api/v3/system/"
JSON = "application/json"


@pytest.fixture
def state(settings: Any, tmp_path: Path) -> Path:
    """An empty state directory."""
    settings.STATE_DIR = tmp_path
    return tmp_path


def get(world: World, path: str, name: str = "admin") -> Any:
    response = world.client(name).get(f"{SYSTEM}{path}")
    assert response.status_code == 200, response.content
    return response.json()


def test_indexes_lead_somewhere(world: World, state: Path) -> None:
    names = {
        "": ["status", "tasks", "versions", "timezones", "mobilebroadbandproviderapns", "isos"],
        "tasks/": ["createisos"],
    }
    world.restrict("eve")
    for path, keys in names.items():
        assert list(get(world, path, "eve")) == keys
    for url in get(world, "status/").values():
        assert world.client("admin").get(url).status_code == 200


def test_config_updates_are_counted_within_reach(world: World) -> None:
    ConfigUpdate.objects.update(status="applied")
    ConfigUpdate.objects.filter(node=world.bonder).update(status="failed", failure_count=3)

    whole, part = get(world, "status/configupdates/"), get(world, "status/configupdates/", "ana")

    assert set(whole) == set(fields_of("configupdates"))
    assert list(whole["status"]) == ["pending", "sent", "completed", "failed"]
    assert whole["count"] == sum(whole["status"].values()) == ConfigUpdate.objects.count()
    assert part["status"]["failed"] == part["count"] == world.bonder.config_updates.count()
    assert part["failures"] == 3 * part["count"]


def test_the_repository_tells_what_is_really_in_it(world: World, state: Path) -> None:
    assert get(world, "status/repositories/") == []
    assert get(world, "status/bondingversion/") == {"version": None}
    for name in ("1.0.2", "1.0.10", "1.0.10~rc1"):
        package = state / "repository" / "stable" / f"openbond-node_{name}_amd64.deb"
        package.parent.mkdir(parents=True, exist_ok=True)
        package.touch()
    (state / "repository" / "testing").mkdir()

    assert get(world, "status/bondingversion/") == {"version": "1.0.10"}
    assert get(world, "status/repositories/") == [
        {"name": "stable", "versions": ["1.0.10", "1.0.10~rc1", "1.0.2"]},
        {"name": "testing", "versions": []},
    ]
    assert newest_version(state / "nowhere") is None
    assert channels(state / "nowhere") == []


def test_versions_are_strings_of_what_runs_here(world: World) -> None:
    versions = get(world, "versions/")

    assert list(versions) == ["server", "python", "database", "operating_system", "kernel"]
    assert all(isinstance(text, str) and text for text in versions.values())
    assert versions["kernel"] == os.uname().release


def test_tls_facts_without_and_with_a_certificate(world: World, state: Path) -> None:
    assert get(world, "status/tlsinfo/") == {"certificate": None, "csr": None}
    (state / "ca").mkdir()
    (state / "tls").mkdir()
    authority = Authority.open_or_create(state / "ca", now=world.now)
    web_tls(state / "tls", authority, names=["mgmt.example.net"], now=world.now)

    facts = get(world, "status/tlsinfo/")

    assert "mgmt.example.net" in facts["certificate"]["subject_alternative_names"]
    assert set(facts["certificate"]["fingerprints"]) == {"sha1", "sha256"}
    assert "untrusted" in facts["certificate"]["warnings"]
    assert facts["csr"]["pem"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert "PRIVATE" not in str(facts)


def test_failover_checks_of_aggregators_in_reach(world: World) -> None:
    never = get(world, "status/aggfailover/")
    Aggregator.objects.filter(pk=world.home.pk).update(failover_monitoring=True)
    AggregatorCheck.objects.create(
        aggregator=world.home, since=world.now, success=41, failure=2, last_check=world.now
    )

    checks = get(world, "status/aggfailover/")

    assert (never["since"], never["aggregators"], never["suspended"]) == (None, [], False)
    assert set(checks) == set(fields_of("aggfailover"))
    assert (checks["success"], checks["failure"]) == (41, 2)
    assert [one["name"] for one in checks["aggregators"]] == ["home"]
    assert get(world, "status/aggfailover/", "ana")["aggregators"] == []


def test_moves_are_suspended_by_maintenance_or_too_many_failures(world: World) -> None:
    def suspended() -> bool:
        return bool(get(world, "status/aggfailover/")["suspended"])

    Aggregator.objects.update(failover_monitoring=True)
    Aggregator.objects.filter(pk=world.home.pk).update(failed=True)
    world.client("admin").patch("/api/v3/settings/", {"allow_suspension": True}, JSON)
    by_share = suspended()
    Settings.objects.update(suspension_percentage=51)
    below = suspended()
    Settings.objects.update(maintenance_mode=True)

    assert (by_share, below, suspended()) == (True, False, True)


def content_of(download: Any) -> bytes:
    """Return the bytes of a download; reading to the end closes its file."""
    return b"".join(download.streaming_content)


def backup(state: Path, name: str, content: bytes) -> None:
    path = state / "backups" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def test_backups_are_listed_newest_first_and_the_newest_is_downloaded(
    world: World, state: Path
) -> None:
    client, latest = world.client("admin"), f"{SYSTEM}status/backups/latest-backup/"
    none = client.get(latest)
    backup(state, "backup-2026-03-04-020031.zip", b"old")
    backup(state, "backup-2026-03-05-020031.zip", b"newest")

    download = client.get(latest, headers={"Accept": "text/html"})

    assert (none.status_code, none.json()["code"]) == (404, "no_backup")
    assert get(world, "status/backups/") == [
        {
            "name": "backup-2026-03-05-020031.zip",
            "size": 6,
            "created": "2026-03-05T02:00:31Z",
        },
        {"name": "backup-2026-03-04-020031.zip", "size": 3, "created": "2026-03-04T02:00:31Z"},
    ]
    assert download["Content-Type"] == "application/zip"
    disposition = 'attachment; filename="backup-2026-03-05-020031.zip"'
    assert download["Content-Disposition"] == disposition
    assert content_of(download) == b"newest"
    head = client.head(latest)
    assert (head.status_code, content_of(head)) == (200, b"")
    assert get(world, "status/backups/?ordering=size")[0]["size"] == 3


def test_backups_are_for_the_root_space(world: World, state: Path) -> None:
    for path in ("status/backups/", "status/backups/latest-backup/"):
        response = world.client("ana").get(f"{SYSTEM}{path}")
        assert (response.status_code, response.json()["code"]) == (403, "root_space_only")
    world.restrict("admin", "view_systemstatus")
    assert world.client("admin").get(f"{SYSTEM}status/backups/").status_code == 403


def test_iso_creation_is_queued_once_and_says_that_nothing_can_build(world: World) -> None:
    client, url = world.client("admin"), f"{SYSTEM}tasks/createisos/"

    first, second = client.post(url), client.post(url)
    with pytest.raises(NoImageBuilder):
        create_isos.call()
    DBTaskResult.objects.update(status="FAILED")  # as the worker notes it
    third = client.post(url)

    assert [one.status_code for one in (first, second, third)] == [202, 202, 202]
    assert set(first.json()) == {"status", "detail", "task_id"}
    assert second.json() == first.json()
    assert third.json()["task_id"] != first.json()["task_id"]
    assert DBTaskResult.objects.filter(pk=first.json()["task_id"]).exists()
    assert "no image builder" in Alert.objects.get(code="no_image_builder").text
    assert world.client("ana").post(url).json()["code"] == "root_space_only"


def test_isos_are_listed_and_downloaded_with_the_same_permission(world: World, state: Path) -> None:
    assert get(world, "isos/") == []
    image = state / "isos" / "openbond-node-key.iso"
    image.parent.mkdir()
    image.write_bytes(b"iso")
    (state / "isos" / "other.iso").touch()

    (listed,) = get(world, "isos/")

    assert set(listed) == set(fields_of("iso"))
    assert (listed["profile"], listed["size"]) == ("node_key", 3)
    got = world.client("ana").get(listed["url"])
    assert (got.status_code, content_of(got)) == (200, b"iso")
    assert world.nobody().get(listed["url"]).status_code == 401
    assert world.client("ana").get("/isos/other.iso").status_code == 404
    world.restrict("ana")
    assert world.client("ana").get(listed["url"]).status_code == 403


def test_reference_lists(world: World) -> None:
    zones = get(world, "timezones/", "eve")
    points = get(world, "mobilebroadbandproviderapns/")

    assert zones == sorted(zones)
    assert {"UTC", "Africa/Abidjan", "America/Toronto", "Europe/Amsterdam"} <= set(zones)
    assert set(points[0]) == {"country", "provider", "apn", "username", "password"}
    assert len(points) > 500
    swiss = get(world, "mobilebroadbandproviderapns/?country=CH&search=swisscom&page_size=1")
    assert swiss["count"] >= 1
    assert swiss["results"][0]["country"] == "CH"
    last = get(world, "mobilebroadbandproviderapns/?ordering=-country")[0]["country"]
    assert last == max(point["country"] for point in points)


@pytest.mark.parametrize(
    "path",
    [
        "status/configupdates/",
        "status/bondingversion/",
        "status/repositories/",
        "status/tlsinfo/",
        "status/aggfailover/",
        "versions/",
        "isos/",
    ],
)
def test_status_needs_its_code(path: str, world: World, state: Path) -> None:
    world.restrict("ana", "view_systemstatus")
    assert world.client("ana").get(f"{SYSTEM}{path}").status_code == 200

    world.restrict("ana", "view_bond")

    assert world.client("ana").get(f"{SYSTEM}{path}").json()["code"] == "permission_denied"


def test_self_tells_the_caller_who_he_is(world: World) -> None:
    world.client("admin").patch("/api/v3/spaces/root/", {"support": {"name": "NOC"}}, JSON)
    client = world.client("ana")

    own = client.get("/api/v3/self/").json()

    assert list(own) == ["user", "permissions", "space", "branding", "support", "version"]
    assert own["user"] == client.get(own["user"]["url"]).json()
    assert own["space"] == client.get(own["space"]["url"]).json()
    assert own["support"]["name"] == "NOC"
    assert own["permissions"] == own["user"]["permissions"]


def test_a_session_reaches_the_same_answers(world: World) -> None:
    client = Client()
    client.force_login(world.user("ana"))

    assert client.get("/api/v3/self/").json()["user"]["email"] == "ana@example.net"
