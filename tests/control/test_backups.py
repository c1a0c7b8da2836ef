"""Backups: what is in them, when they are good, and a blank server made from one."""

import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum
from pytest_django.fixtures import Settings

from openbond.server.bonds.models import Bond
from openbond.server.control import upkeep
from openbond.server.control.authority import Authority
from openbond.server.control.counted import COUNTED
from openbond.server.control.state_files import StateDirectory
from openbond.server.project.state import create_secrets
from openbond.server.spaces import counting
from openbond.server.spaces.models import Space, SpaceCount
from openbond.server.system.backups import (
    BackupDamaged,
    RestoreRefused,
    kept_backups,
    make_backup,
    restore_database,
    restore_files,
)
from openbond.server.system.backups.archive import MANIFEST, check_archive, read_manifest
from openbond.server.system.models import Alert
from tests.databases import CHOICE
from tests.world import World, create_world

NOW = datetime(2026, 3, 5, 2, 0, 31, tzinfo=UTC)
WEEK = timedelta(days=7)

# By the choice, as a connection knows its database only once a test has used it.
sqlite_only = pytest.mark.skipif(CHOICE != "sqlite", reason="the database is no file on this one")
postgresql_only = pytest.mark.skipif(CHOICE == "sqlite", reason="for a database that is no file")


@pytest.fixture
def stored_world(transactional_db: None) -> World:
    """Committed: a backup looks from a connection of its own."""
    return create_world()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The directory of a server that has been started once."""
    directory = StateDirectory(tmp_path / "state")
    directory.create()
    Authority.open_or_create(directory.authority, now=NOW)
    create_secrets(directory.root)
    (directory.tls / "server.pem").write_text("a certificate")
    return directory.root


def test_a_backup_holds_database_authority_secrets_and_tls(
    stored_world: World, state: Path
) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)

    names = {part.name for part in read_manifest(made.path).parts}
    assert {"ca/ca.key", "ca/ca.pem", "secrets/fields.key", "tls/server.pem"} <= names
    assert any(name.startswith("database/") for name in names)
    assert made.name == "backup-2026-03-05-020031.zip"
    assert made.path.stat().st_mode & 0o077 == 0
    check_archive(made.path)


@sqlite_only
def test_the_copy_is_the_database_of_that_moment(
    stored_world: World, state: Path, tmp_path: Path
) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)
    Bond.objects.update(note="written afterwards")

    restore_files(backup=made.path, state=tmp_path / "new", database="sqlite")

    with closing(sqlite3.connect(tmp_path / "new" / "db.sqlite3")) as copy:
        notes = [note for (note,) in copy.execute("SELECT note FROM bonds_bond ORDER BY id")]
    assert notes == ["", ""]


def test_a_blank_server_gets_the_same_authority_and_secrets(
    stored_world: World, state: Path, tmp_path: Path
) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)

    restore_files(backup=made.path, state=tmp_path / "new", database=connection.vendor)

    for name in ("ca/ca.key", "ca/ca.pem", "ca/signer.key", "secrets/fields.key"):
        restored = tmp_path / "new" / name
        assert restored.read_bytes() == (state / name).read_bytes()
        assert restored.stat().st_mode & 0o077 == 0


@postgresql_only
def test_an_empty_postgresql_is_filled(stored_world: World, state: Path) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)
    manifest = read_manifest(made.path)
    bond_id, next_id = stored_world.bond.pk, Bond.objects.latest("id").pk + 1
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    restore_database(backup=made.path, manifest=manifest)

    bond = Bond.objects.select_related("bonder").get(pk=bond_id)
    assert bond.bonder.name == "site-1"
    assert Space.objects.count() == 4
    with pytest.raises(RestoreRefused, match="not empty"):
        restore_database(backup=made.path, manifest=manifest)
    assert Bond.objects.filter(pk=next_id).count() == 0
    call_command("flush", interactive=False, verbosity=0)


@postgresql_only
def test_after_a_restore_statistics_are_those_of_the_rows(stored_world: World, state: Path) -> None:
    """The triggers count what is loaded, beside the counts that are loaded with it."""
    made = make_backup(state=state, now=NOW, keep=WEEK)
    before = statistics()
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    call_command("restore_database", backup=made.path, manifest=read_manifest(made.path))

    assert ("bond", stored_world.acme.pk) in before
    assert statistics() == before
    assert counting.differences(COUNTED) == []
    call_command("flush", interactive=False, verbosity=0)


def statistics() -> dict[tuple[str, int], int]:
    rows = SpaceCount.objects.values("what", "space_id").annotate(sum=Sum("whole"))
    return {(row["what"], row["space_id"]): row["sum"] for row in rows if row["sum"]}


def test_those_older_than_a_week_go_once_a_new_one_is_good(
    stored_world: World, state: Path
) -> None:
    for days in range(10):
        make_backup(state=state, now=NOW + timedelta(days=days), keep=WEEK)

    kept = kept_backups(state)

    assert len(kept) == 8
    assert kept[0].created == NOW + timedelta(days=9)
    assert kept[-1].created == NOW + timedelta(days=2)


def test_one_that_fails_leaves_the_older_ones(stored_world: World, state: Path) -> None:
    make_backup(state=state, now=NOW, keep=WEEK)
    (state / "ca" / "broken").symlink_to(state / "nowhere")

    with pytest.raises(OSError, match="broken"):
        make_backup(state=state, now=NOW + timedelta(days=30), keep=WEEK)

    assert [one.created for one in kept_backups(state)] == [NOW]
    assert not list((state / "backups").glob(".making-*"))


def test_what_a_killed_server_left_is_cleared_and_never_listed(
    stored_world: World, state: Path
) -> None:
    leftover = state / "backups" / ".making-abc"
    leftover.mkdir()
    (leftover / "draft.zip").write_bytes(b"half")

    make_backup(state=state, now=NOW, keep=WEEK)

    assert not leftover.exists()
    assert len(kept_backups(state)) == 1


def damaged(path: Path, how: str) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    match how:
        case "changed":
            contents["ca/ca.pem"] = b"another authority"
        case "lacking":
            del contents["ca/ca.key"]
        case "added":
            contents["../outside"] = b"evil"
        case "no manifest":
            del contents[MANIFEST]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("changed", r"ca/ca\.pem is not what the manifest says"),
        ("lacking", r"lacks ca/ca\.key"),
        ("added", r"holds \.\./outside, which its manifest does not"),
        ("no manifest", "is no backup of an openbond server"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_nothing_made(
    stored_world: World, state: Path, tmp_path: Path, how: str, words: str
) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)
    damaged(made.path, how)

    with pytest.raises(BackupDamaged, match=words):
        restore_files(backup=made.path, state=tmp_path / "new", database=connection.vendor)

    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_half_a_file_is_refused(stored_world: World, state: Path, tmp_path: Path) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)
    made.path.write_bytes(made.path.read_bytes()[:1000])

    with pytest.raises(BackupDamaged, match="cannot be read as a zip"):
        restore_files(backup=made.path, state=tmp_path / "new", database=connection.vendor)


def test_a_directory_that_is_in_use_is_never_overwritten(stored_world: World, state: Path) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)

    with pytest.raises(RestoreRefused, match="is not empty"):
        restore_files(backup=made.path, state=state, database=connection.vendor)


def test_a_backup_of_the_other_kind_of_database_is_refused(
    stored_world: World, state: Path, tmp_path: Path
) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)
    other = {"sqlite": "postgresql", "postgresql": "sqlite"}[connection.vendor]

    with pytest.raises(RestoreRefused, match="OPENBOND_DATABASE_URL"):
        restore_files(backup=made.path, state=tmp_path / "new", database=other)


def test_an_empty_directory_will_do(stored_world: World, state: Path, tmp_path: Path) -> None:
    made = make_backup(state=state, now=NOW, keep=WEEK)
    (tmp_path / "new").mkdir()

    restore_files(backup=made.path, state=tmp_path / "new", database=connection.vendor)

    assert (tmp_path / "new" / "ca" / "ca.pem").exists()


@pytest.mark.parametrize(
    ("hours", "alerts"), [(None, 1), (24, 0), (26, 1)], ids=["none yet", "in time", "missed"]
)
def test_a_missing_backup_is_told(
    stored_world: World,
    state: Path,
    settings: Settings,
    hours: int | None,
    alerts: int,
) -> None:
    settings.STATE_DIR = state
    if hours is not None:
        make_backup(state=state, now=NOW - timedelta(hours=hours), keep=WEEK)

    upkeep.watch_backups(now=NOW)

    assert Alert.objects.filter(code="backup_missing").count() == alerts


def test_the_nightly_job_makes_one(stored_world: World, state: Path, settings: Settings) -> None:
    settings.STATE_DIR = state

    upkeep.back_up(now=NOW)

    assert [one.created for one in kept_backups(state)] == [NOW]
