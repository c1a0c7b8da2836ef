"""Shows who changed what, when and from where, with the values before and after."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from openbond.server.system.models import AuditEntry
from openbond.server.system.selectors import audit_entries

DEFAULT_LINES = 50


class Command(BaseCommand):
    help = "Show the audit, newest first: one JSON object a line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", default="", help="e.g. bond, leg, user, settings")
        parser.add_argument("--id", type=int, default=None, help="id of one object")
        parser.add_argument("--actor", default="", help="e-mail address, or server")
        parser.add_argument("--days", type=float, default=None, help="only the last days")
        parser.add_argument("--lines", type=int, default=DEFAULT_LINES)

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        found = audit_entries(
            kind=options["kind"],
            object_id=options["id"],
            actor=options["actor"],
            since=None if days is None else timezone.now() - timedelta(days=days),
        )
        for entry in found[: options["lines"]]:
            self.stdout.write(json.dumps(_shown(entry), default=str))


def _shown(entry: AuditEntry) -> dict[str, object]:
    return {
        "at": f"{entry.at:%Y-%m-%dT%H:%M:%SZ}",
        "who": entry.actor_name,
        "from": entry.origin,
        "action": entry.action,
        "kind": entry.kind,
        "id": entry.object_id,
        "name": entry.object_name,
        "space": entry.space.key if entry.space else None,
        "before": entry.before,
        "after": entry.after,
    }
