"""What happened: the audit, config updates, background tasks."""

from openbond.server.web.objects.declaring import Group, Sheet
from openbond.server.web.objects.trail import AUDIT, CONFIG_UPDATES, TASKS

RECORD_SHEETS = (
    Sheet(
        key="audit",
        route="audit/",
        title="Audit",
        one="Entry",
        about="Who changed what, when, from where.",
        columns=("at", "actor", "action", "kind", "object", "changes"),
        groups=(
            Group("What was done", ("at", "actor", "origin", "action", "kind", "object", "space")),
        ),
        name="id",
        order="-id",
        own_place=AUDIT,
        left_out=frozenset({"before", "after"}),
    ),
    Sheet(
        key="config_updates",
        route="config_updates/",
        title="Config updates",
        one="Config update",
        about="What nodes must still learn, and what they have learnt.",
        columns=(
            "created",
            "node",
            "bond",
            "status",
            "reason",
            "revision",
            "last_error",
            "settled",
        ),
        name="id",
        empty="Nothing was changed yet that a node must know.",
        order="-id",
        own_place=CONFIG_UPDATES,
    ),
    Sheet(
        key="tasks",
        route="tasks/",
        title="Background tasks",
        one="Task",
        about="What the server does by itself, and how it ended.",
        columns=("task", "status", "queue", "enqueued", "started", "finished", "error"),
        name="task",
        order="-enqueued",
        own_place=TASKS,
    ),
)
