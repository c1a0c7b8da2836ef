"""What only the site lists: the audit, config updates, and background tasks.

They are declared as the API's resources are, so that the same pages show them.
"""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Flag, Link, Text, Time, Whole
from openbond.server.api.in_process import Place
from openbond.server.api.links import API_V3
from openbond.server.api.resource import Collection, ReadOnlyResource, Shown
from openbond.server.fleet.models import ConfigUpdate, UpdateStatus
from openbond.server.fleet.selectors import config_updates_visible_to
from openbond.server.spaces.selectors import audit_visible_to
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.models import AuditEntry
from openbond.server.system.selectors import (
    STATUSES_OF_TASKS,
    KeptTask,
    kept_tasks,
    words_of_failure,
)

# Kind of object → where its page is, and the code that opens it.
KINDS: dict[str, tuple[str, str]] = {
    "bond": ("bonds", "view_bond"),
    "bonder": ("bonders", "view_bonder"),
    "leg": ("legs", "view_leg"),
    "connectedip": ("connected_ips", "view_connectedip"),
    "cpenatip": ("cpe_nat_ips", "view_cpenatip"),
    "route": ("routes", "view_route"),
    "aggregator": ("aggregators", "view_aggregator"),
    "routinggroup": ("routinggroups", "view_routinggroup"),
    "ipallocation": ("ipallocations", "view_ipallocation"),
    "qosprofile": ("qos", "view_qosprofile"),
    "mobileproviderprofile": ("mobileproviderprofiles", "view_mobileproviderprofile"),
    "user": ("users", "view_user"),
    "group": ("groups", "view_group"),
    "space": ("spaces", "view_space"),
    "settings": ("", "view_settings"),
    "speedtest": ("speedtests", "view_speedtest"),
    "tuning": ("", "view_tuner"),
}

# What the audit keeps as an id, by its name: where the object has its page.
POINTERS = {
    "aggregator": "aggregators",
    "secondary_aggregator": "aggregators",
    "current_aggregator": "aggregators",
    "bonder": "bonders",
    "bond": "bonds",
    "space": "spaces",
    "qos_profile": "qos",
    "routing_group": "routinggroups",
    "provider_profile": "mobileproviderprofiles",
}


class AuditBody(Body):
    id = Whole(read_only=True)
    at = Time()
    actor = Text(read_only=True, help_text="who")
    origin = Text(read_only=True, help_text="from where")
    action = Text(read_only=True)
    kind = Choice(list(KINDS), read_only=True)
    object = serializers.DictField(read_only=True)
    space = Link(allow_null=True)
    changes = serializers.ListField(child=serializers.DictField(), read_only=True)
    before = serializers.DictField(read_only=True)
    after = serializers.DictField(read_only=True)


class Audit(ReadOnlyResource[AuditEntry]):
    """Who changed what, when, from where: of those kinds of objects that the viewer may see."""

    body = AuditBody
    listing = lists.Listing(
        filters={
            "kind": lists.choice("kind", list(KINDS)),
            "object_id": lists.whole("object_id"),
            "action": lists.text("action"),
            "actor": lists.text("actor_name"),
            "origin": lists.text("origin"),
            "space": lists.space(),
        },
        search=("object_name", "actor_name", "action"),
        ordering={
            "id": lists.by("id"),
            "at": lists.by("at"),
            "actor": lists.by_text("actor_name"),
            "kind": lists.by("kind"),
            "object": lists.by_text("object_name"),
        },
    )

    def rows(self) -> QuerySet[AuditEntry]:
        return seen_of_audit(self.viewer)

    def present(self, rows: QuerySet[AuditEntry]) -> list[Shown]:
        return [self._entry(row) for row in rows]

    def _entry(self, row: AuditEntry) -> Shown:
        path, _ = KINDS.get(row.kind, ("", ""))
        # What was deleted has no page any more.
        key = None if row.action == "delete" or not path else row.object_id
        return {
            "id": row.pk,
            "url": self.links.to("audit", row.pk),
            "at": values.time(row.at),
            "actor": row.actor_name,
            "origin": row.origin,
            "action": row.action,
            "kind": row.kind,
            "object": {"url": self.links.or_null(path, key), "name": row.object_name},
            "space": self.links.or_null("spaces", row.space_id),
            "changes": changes_of(row),
            "before": row.before,
            "after": row.after,
        }


def changes_of(row: AuditEntry) -> list[Shown]:
    """Return what an entry says of each value, before and after; None where it says nothing.

    Objects are told by their addresses.
    """
    names = dict.fromkeys([*row.before, *row.after])
    return [
        {
            "name": name,
            "before": _told(row.kind, name, row.before.get(name)),
            "after": _told(row.kind, name, row.after.get(name)),
        }
        for name in names
    ]


def _told(kind: str, name: str, value: object) -> object:
    path = POINTERS.get(name) or (KINDS.get(kind, ("",))[0] if name == "parent" else "")
    is_id = isinstance(value, int) and not isinstance(value, bool)
    return f"{API_V3}{path}/{value}/" if path and is_id else value


def seen_of_audit(viewer: Viewer) -> QuerySet[AuditEntry]:
    """Return the entries in reach of the kinds whose code the viewer holds."""
    kinds = [kind for kind, (_, code) in KINDS.items() if viewer.can(code)]
    rows = audit_visible_to(viewer)
    # Kinds that have no page, like tokens, are the installation's own matter.
    if viewer.is_root and viewer.can("view_systemstatus"):
        return rows.exclude(kind__in=set(KINDS) - set(kinds))
    return rows.filter(kind__in=kinds)


class ConfigUpdateBody(Body):
    id = Whole(read_only=True)
    node = Link()
    bond = Link(allow_null=True)
    reason = Text(read_only=True)
    status = Choice(UpdateStatus.values, read_only=True)
    revision = Whole(read_only=True, allow_null=True)
    forced = Flag(read_only=True)
    failure_count = Whole(read_only=True)
    last_error = Text(read_only=True)
    created = Time()
    settled = Time(allow_null=True)


class ConfigUpdateRows(Collection[ConfigUpdate]):
    """What nodes in reach must learn, or have learnt."""

    codes = {"list_all": "view_systemstatus"}
    body = ConfigUpdateBody
    listing = lists.Listing(
        filters={
            "status": lists.choice("status", UpdateStatus.values),
            "bonder": lists.relation("node", "bonders"),
            "aggregator": lists.relation("node", "aggregators"),
            "bond": lists.relation("bond_id", "bonds"),
            "forced": lists.flag("forced"),
        },
        search=("node__name", "reason", "last_error"),
        ordering={
            "id": lists.by("id"),
            "node": lists.by_text("node__name"),
            "status": lists.by("status"),
            "failure_count": lists.by("failure_count"),
            "created": lists.by("created"),
            "settled": lists.by("settled", nullable=True),
        },
    )

    def rows(self) -> QuerySet[ConfigUpdate]:
        return config_updates_visible_to(self.viewer).select_related("node")

    def present(self, rows: QuerySet[ConfigUpdate]) -> list[Shown]:
        return [self._update(row) for row in rows]

    def _update(self, row: ConfigUpdate) -> Shown:
        return {
            "id": row.pk,
            "url": "",
            "node": self.links.to(f"{row.node.kind}s", row.node_id),
            "bond": self.links.or_null("bonds", row.bond_id),
            "reason": row.reason,
            "status": row.status,
            "revision": row.revision,
            "forced": row.forced,
            "failure_count": row.failure_count,
            "last_error": row.last_error,
            "created": values.time(row.created),
            "settled": values.time_or_null(row.settled),
        }


class TaskBody(Body):
    id = Text(read_only=True)
    task = Text(read_only=True)
    queue = Text(read_only=True)
    status = Choice(STATUSES_OF_TASKS, read_only=True)
    enqueued = Time()
    started = Time(allow_null=True)
    finished = Time(allow_null=True)
    error = Text(read_only=True)


class Tasks(Collection[Any]):
    """What the server does in the background."""

    codes = {"list_all": "view_systemstatus"}
    root_only = frozenset({"list_all"})
    body = TaskBody
    listing = lists.Listing(
        filters={"status": lists.choice("status", STATUSES_OF_TASKS)},
        search=("task_path", "exception_class_path"),
        ordering={
            "task": lists.by("task_path"),
            "status": lists.by("status"),
            "enqueued": lists.by("enqueued_at"),
            "started": lists.by("started_at", nullable=True),
            "finished": lists.by("finished_at", nullable=True),
        },
    )

    def rows(self) -> QuerySet[KeptTask]:
        return kept_tasks()

    def present(self, rows: QuerySet[KeptTask]) -> list[Shown]:
        return [
            {
                "id": str(row.pk),
                "url": "",
                "task": row.task_path.removeprefix("openbond.server."),
                "queue": row.queue_name,
                "status": row.status,
                "enqueued": values.time(row.enqueued_at),
                "started": values.time_or_null(row.started_at),
                "finished": values.time_or_null(row.finished_at),
                "error": words_of_failure(row),
            }
            for row in rows
        ]


AUDIT = Place(view=Audit, of_list={"get": "list_all"}, of_object={"get": "retrieve"})
CONFIG_UPDATES = Place(view=ConfigUpdateRows, of_list={"get": "list_all"})
TASKS = Place(view=Tasks, of_list={"get": "list_all"})
