"""Pages of the installation: who may see them, what they say, and what they change."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from openbond.server.bonds.services import update_aggregator
from openbond.server.bonds.services.actions import move_bond, restore_to_primary
from openbond.server.control.authority import Authority
from openbond.server.control.backup_task import make_backup_now
from openbond.server.control.web_tls import WebTls, web_tls, write_request
from openbond.server.fleet.models import Aggregator, Node
from openbond.server.fleet.selectors import watched_aggregators
from openbond.server.fleet.services import record_check
from openbond.server.system.actors import SERVER
from openbond.server.system.backups import kept_backups
from openbond.server.system.models import AuditEntry, Settings
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import update_settings
from openbond.server.system.tasks import create_isos
from tests.web.signed_in import signed_in
from tests.world import World

ROOT_ONLY = ("/system/settings/", "/system/backups/", "/tasks/")
PAGES = ("/system/failover/", "/system/tls/", "/system/versions/")


@pytest.fixture(autouse=True)
def state(settings: Any, tmp_path: Path) -> Path:
    """An empty state directory."""
    settings.STATE_DIR = tmp_path
    return tmp_path


def typed(client: Client, **changes: object) -> dict[str, object]:
    """Return the form of the settings as a browser sends it, with some values changed."""
    page = client.get("/system/settings/").content.decode()
    hidden = dict(re.findall(r'name="(_etag|_opened)" data-kept value="([^"]*)"', page))
    row = current_settings()
    sent: dict[str, object] = {
        name: "\n".join(value) if isinstance(value, list) else value
        for name, value in vars(row).items()
        if not name.startswith("_") and name not in {"id", "modified", "sealed_email_password"}
    }
    flags = {name: "true" for name, value in sent.items() if value is True}
    kept = {name: value for name, value in sent.items() if not isinstance(value, bool)}
    return {**kept, **flags, **{name: unescape(text) for name, text in hidden.items()}, **changes}


def test_every_setting_of_the_api_has_a_field_and_is_explained(world: World) -> None:
    page = signed_in(world, "admin").get("/system/settings/").content.decode()

    names = world.client("admin").get("/api/v3/settings/").json()
    for name in [*names, "email_password", "failover_to_primary", "failover_ask_bonders"]:
        assert f'id="field-{name}"' in page
        about = page.partition(f'<div id="field-{name}-about">')[2].partition("</div>\n</div>")[0]
        assert "form-hint" in about or name == "email_port", name


def test_what_is_typed_is_saved_and_audited(world: World) -> None:
    admin = signed_in(world, "admin")
    form = typed(
        admin,
        failover_interval="60",
        email_recipients="noc@example.net\r\n\r\n ops@example.net ",
        failover_to_primary="true",
        timezone="Europe/Vienna",
        email_password="hush hush",
    )

    response = admin.post("/system/settings/", form)

    row = current_settings()
    assert response.status_code == 302
    assert row.failover_interval == 60
    assert row.email_recipients == ["noc@example.net", "ops@example.net"]
    assert row.failover_to_primary
    assert row.timezone == "Europe/Vienna"
    assert row.email_password == "hush hush"
    assert AuditEntry.objects.filter(kind="settings", actor=world.user("admin")).count() == 1
    assert "hush hush" not in admin.get("/system/settings/").content.decode()


def test_what_does_not_fit_is_told_beside_its_field_and_nothing_is_saved(world: World) -> None:
    admin = signed_in(world, "admin")
    form = typed(
        admin,
        failover_receive_timeout="45",
        known_hosts="192.0.2.1\n\nnot a host",
        email_from="nobody",
        backup_retention="0",
    )

    response = admin.post("/system/settings/", form)

    page = response.content.decode()
    assert response.status_code == 400
    assert "Line 3, “not a host”: Enter a host name or an IP address." in page
    for name in ("known_hosts", "email_from", "backup_retention"):
        about = page.partition(f'id="field-{name}-about">')[2].partition("form-hint")[0]
        assert "invalid-feedback" in about, name
    assert "nobody" in page
    assert current_settings().backup_retention == 7
    again = admin.post("/system/settings/", typed(admin, failover_receive_timeout="45"))
    assert "Must be below the interval of 30 s." in again.content.decode()


def test_two_who_change_the_settings_do_not_overwrite_each_other(world: World) -> None:
    admin = signed_in(world, "admin")
    form = typed(admin, failover_interval="60", email_port="587")
    update_settings(by=SERVER, failover_interval=90, backup_retention=30)

    response = admin.post("/system/settings/", form)

    page = response.content.decode()
    assert response.status_code == 412
    assert "Somebody else set this to “90” meanwhile." in page
    assert 'id="field-backup_retention" value="30"' in page
    assert 'id="field-email_port" value="587"' in page
    assert current_settings().failover_interval == 90
    again = typed(admin, failover_interval="60", email_port="587")
    assert admin.post("/system/settings/", again).status_code == 302
    assert (current_settings().failover_interval, current_settings().email_port) == (60, 587)
    assert current_settings().backup_retention == 30


def test_whoever_may_only_read_the_settings_has_no_field_to_type_into(world: World) -> None:
    world.restrict("admin", "view_settings")
    admin = signed_in(world, "admin")

    page = admin.get("/system/settings/").content.decode()
    response = admin.post("/system/settings/", {"failover_interval": "60"})

    assert 'name="failover_interval"' not in page
    assert ">Save</button>" not in page
    assert response.status_code == 403
    assert not Settings.objects.filter(failover_interval=60).exists()


@pytest.mark.parametrize("path", ROOT_ONLY)
def test_what_is_the_installations_is_for_the_root_space_alone(world: World, path: str) -> None:
    assert signed_in(world, "admin").get(path).status_code == 200
    ana = signed_in(world, "ana")
    assert ana.get(path).status_code == 403
    assert f'href="{path}"' not in ana.get("/").content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_the_others_need_the_permission_of_the_api(world: World, path: str) -> None:
    ana = signed_in(world, "ana")
    assert f'href="{path}"' in ana.get("/").content.decode()
    assert ana.get(path).status_code == 200

    world.restrict("ana", "view_bond")
    assert ana.get(path).status_code == 403
    assert f'href="{path}"' not in ana.get("/").content.decode()


def test_a_backup_is_asked_for_once_however_often_the_button_is_pressed(world: World) -> None:
    admin = signed_in(world, "admin")

    for _ in range(2):
        assert admin.post("/system/backups/make/").status_code == 302

    asked = DBTaskResult.objects.get(task_path=make_backup_now.module_path)
    assert asked.queue_name == "default"
    assert "A backup is being made" in admin.get("/system/backups/").content.decode()
    assert AuditEntry.objects.filter(action="backup").count() == 1
    assert signed_in(world, "ana").post("/system/backups/make/").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_backup_that_was_made_is_listed_and_downloaded_as_it_is(
    world: World, state: Path
) -> None:
    make_backup_now.func()
    admin = signed_in(world, "admin")

    made = kept_backups(state)[0]
    page = admin.get("/system/backups/").content.decode()
    file = b"".join(admin.get(f"/system/backups/{made.name}/"))

    assert made.name in page
    assert f"openbond server restore {made.name} --state {state}" in page
    assert file == made.path.read_bytes()


@pytest.mark.parametrize("name", ["backup-2026-01-01-000000.zip", "..", "db.sqlite3", ".making-x"])
def test_no_other_file_is_served_as_a_backup(world: World, state: Path, name: str) -> None:
    (state / "db.sqlite3").write_text("secret")

    assert signed_in(world, "admin").get(f"/system/backups/{name}/").status_code == 404


def test_a_task_that_failed_says_why(world: World) -> None:
    row = DBTaskResult.objects.get(pk=create_isos.enqueue().id)
    row.claim("worker")
    try:
        create_isos.func()
    except Exception as error:
        row.set_failed(error)

    page = signed_in(world, "admin").get("/tasks/").content.decode()

    assert "Provisioning images cannot be built: no image builder is set up" in page
    assert "Traceback" not in page


def test_the_certificate_is_told_with_its_days_and_what_is_wrong_with_it(
    world: World, state: Path
) -> None:
    now = timezone.now()
    (state / "ca").mkdir()
    (state / "tls").mkdir()
    files = web_tls(
        state / "tls",
        Authority.open_or_create(state / "ca", now=now),
        names=["mgmt.example.net"],
        now=now,
    )
    write_request(WebTls(files.directory), subject={"common_name": "new.example.net"}, names=["x"])
    update_settings(by=SERVER, server_hostname="other.example.net")
    ana = signed_in(world, "ana")

    page = ana.get("/system/tls/").content.decode()

    assert "mgmt.example.net" in page
    assert re.search(r"[0-9]+ days left", page)
    assert "No public authority vouches for it" in page
    assert "other.example.net, where nodes reach this server" in page
    assert "-----BEGIN CERTIFICATE REQUEST-----" in page
    csr = ana.get("/system/tls/request.csr")
    assert csr["Content-Type"] == "application/pkcs10"
    assert csr.content.decode() in unescape(page)


def test_where_there_is_no_certificate_the_page_says_so(world: World) -> None:
    admin = signed_in(world, "admin")

    assert "No certificate" in admin.get("/system/tls/").content.decode()
    assert admin.get("/system/tls/request.csr").status_code == 404


def test_nodes_are_counted_by_version_and_compared_as_numbers(world: World, state: Path) -> None:
    offered = state / "repository" / "stable"
    offered.mkdir(parents=True)
    (offered / "openbond-node_1.10.0_all.deb").touch()
    Node.objects.filter(pk=world.bonder.pk).update(version="1.9.0")
    Node.objects.filter(pk=world.home.pk).update(version="1.11.0~rc1")
    Node.objects.filter(pk=world.away.pk).update(version="1.10.0")

    page = signed_in(world, "admin").get("/system/versions/").content.decode()
    rows = re.findall(r"<tr>\s*<td data-label=\"Kind\">.*?</tr>", page, re.DOTALL)

    found = {}
    for row in rows:
        kind, version, compared = re.sub(r"<[^>]*>", " ", row).split()[:3]
        found[kind, version] = compared
    assert found["bonder", "1.9.0"] == "older"
    assert found["aggregator", "1.11.0~rc1"] == "newer"
    assert found["aggregator", "1.10.0"] == "current"
    assert 'href="/bonders/?version=1.9.0"' in page
    assert "1.11.0" not in signed_in(world, "gil").get("/system/versions/").content.decode()


def test_the_failover_log_tells_what_failed_moved_and_came_back(world: World) -> None:
    fail(world.home)
    move_bond(by=SERVER, bond=world.bond, to=world.away, reason="x")
    recover(world.home)
    restore_to_primary(by=world.viewer("ana"), bond=world.bond)
    admin = signed_in(world, "admin")

    page = unescape(re.sub(r"<[^>]*>", " ", admin.get("/system/failover/").content.decode()))
    words = re.sub(r"\s+", " ", page)

    for said in ("has failed", "answers again", "home → away", "away → home", "moved as planned"):
        assert said in words
    assert words.index("away → home") < words.index("home → away") < words.index("has failed")
    assert "ana@" in words
    update_settings(by=SERVER, maintenance_mode=True)
    assert "Nothing is moved now." in admin.get("/system/failover/").content.decode()


def test_one_beside_reads_nothing_of_failover_elsewhere(world: World) -> None:
    fail(world.home)
    move_bond(by=SERVER, bond=world.bond, to=world.away, reason="x")

    page = signed_in(world, "gil").get("/system/failover/").content.decode()

    assert "site-1" not in page
    assert "Nothing has failed" in page


def test_the_log_of_failover_has_pages(world: World) -> None:
    now = timezone.now()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now - timedelta(minutes=at), actor_name="server", action="failed",
            kind="aggregator", object_id=world.home.pk, object_name=f"agg-{at}",
            space=world.root,
        )
        for at in range(70)
    )  # fmt: skip
    admin = signed_in(world, "admin")

    for page, count in (("1", 50), ("2", 20), ("99", 20), ("x", 50), ("-1", 50)):
        text = admin.get("/system/failover/", {"page": page}).content.decode()
        assert text.count(">agg-") == count


def fail(aggregator: Aggregator) -> None:
    update_aggregator(by=SERVER, aggregator=aggregator, failover_monitoring=True)
    _check(aggregator, misses=2, answered=False)


def recover(aggregator: Aggregator) -> None:
    _check(aggregator, misses=3, answered=True)


def _check(aggregator: Aggregator, *, misses: int, answered: bool) -> None:
    watched = next(
        one for one in watched_aggregators(current_settings()) if one.aggregator_id == aggregator.pk
    )
    record_check(watched=watched, misses=misses, answered=answered, now=timezone.now())
    aggregator.refresh_from_db()
