"""Shows who changed what, when and from where, with the values before and after."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from openbond.server.system.models import AuditEntry
from openbond.server.system.selectors import audit_entries, audit_kinds

DEFAULT_LINES = 50


class Command(BaseCommand):
    help = "Show the audit, newest first: one JSON object a line. Use `openbond server audit`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", default="", help="e.g. bond, leg, user, settings")
        parser.add_argument("--id", type=int, default=None, help="id of one object")
        parser.add_argument("--actor", default="", help="e-mail address, or server")
        parser.add_argument("--days", type=float, default=None, help="only the last days")
        parser.add_argument("--lines", type=int, default=DEFAULT_LINES)

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options["kind"], options["id"])
        days = options["days"]
        found = audit_entries(
            kind=options["kind"],
            object_id=options["id"],
            actor=options["actor"],
            since=None if days is None else timezone.now() - timedelta(days=days),
        )
        for entry in found[: options["lines"]]:
            self.stdout.write(json.dumps(_shown(entry), default=str))


def _check(kind: str, object_id: int | None) -> None:
    if object_id is not None and not kind:
        raise CommandError("An id means one object only with its kind; give --kind as well.")
    known = audit_kinds()
    if kind and kind not in known:
        raise CommandError(
            f"The audit has nothing of kind {kind!r}. It has: {', '.join(known) or 'nothing yet'}."
        )


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
