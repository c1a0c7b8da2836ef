"""The audit: written with every change, seen by space, kept for a time (behaviour 6.5)."""

import json
from datetime import timedelta
from io import StringIO

from django.core.management import call_command
from django.db import transaction

from openbond.server.bonds.services import update_bond, update_leg
from openbond.server.spaces.selectors import audit_visible_to
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from openbond.server.system.selectors import audit_entries
from openbond.server.system.services import forget_audit, update_settings
from tests.world import World


def read(*arguments: str) -> list[dict[str, object]]:
    shown = StringIO()
    call_command("audit", *arguments, stdout=shown)
    return [json.loads(line) for line in shown.getvalue().splitlines()]


def test_a_change_that_is_rolled_back_leaves_no_entry(world: World) -> None:
    before = AuditEntry.objects.count()

    with transaction.atomic():
        update_bond(by=SERVER, bond=world.bond, note="never")
        transaction.set_rollback(True)

    assert AuditEntry.objects.count() == before


def test_entries_are_seen_by_space_and_the_settings_only_by_the_root(world: World) -> None:
    AuditEntry.objects.all().delete()
    update_bond(by=SERVER, bond=world.bond, note="of Acme")
    update_bond(by=SERVER, bond=world.globex_bond, note="of Globex")
    update_settings(by=SERVER, backup_retention=9)

    seen = {
        name: {entry.kind for entry in audit_visible_to(world.viewer(name))}
        for name in ("admin", "ana", "eve", "gil")
    }
    names = {entry.object_name for entry in audit_visible_to(world.viewer("gil"))}

    assert seen == {"admin": {"bond", "settings"}, "ana": {"bond"}, "eve": set(), "gil": {"bond"}}
    assert names == {"globex-1"}


def test_old_entries_are_forgotten(world: World) -> None:
    AuditEntry.objects.update(at=world.now - timedelta(days=401))
    update_bond(by=SERVER, bond=world.bond, note="new")

    forget_audit(before=world.now - timedelta(days=400))

    assert AuditEntry.objects.get().after == {"note": "new"}


def test_the_command_line_reads_the_audit_newest_first(world: World) -> None:
    update_bond(by=world.viewer("ana"), bond=world.bond, note="one")
    update_leg(by=SERVER, leg=world.dhcp_leg, note="two")

    newest, older = read("--lines", "2")

    assert (newest["kind"], newest["who"], newest["after"]) == ("leg", "server", {"note": "two"})
    assert (older["who"], older["space"], older["before"]) == (
        "ana@example.net",
        "acme",
        {"note": ""},
    )


def test_the_audit_is_narrowed_by_kind_object_actor_and_time(world: World) -> None:
    update_bond(by=world.viewer("ana"), bond=world.bond, note="one")

    assert len(read("--actor", "ANA@example.net")) == 1
    assert {entry["kind"] for entry in read("--kind", "bond")} == {"bond"}
    assert {entry["id"] for entry in read("--kind", "bond", "--id", str(world.bond.pk))} == {
        world.bond.pk
    }
    AuditEntry.objects.update(at=world.now - timedelta(days=3))
    assert read("--days", "2") == []
    assert audit_entries(since=world.now - timedelta(days=4)).exists()
