"""What is counted per space (api-v3 07-people-spaces 5), and the work that keeps it right."""

from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from openbond.server.bonds.models import Bond, Leg
from openbond.server.fleet.models import Node
from openbond.server.ipam.models import NetworkUse
from openbond.server.measurement.models import SpeedTest
from openbond.server.qos.models import QosProfile
from openbond.server.spaces import counting
from openbond.server.spaces.counting import Counted
from openbond.server.spaces.models import User
from openbond.server.system.alerts import raise_alert

COUNTED = (
    Counted(User, "user", ("active",)),
    Counted(Bond, "bond"),
    Counted(QosProfile, "qos_profile"),
    Counted(Node, "node", ("kind", "last_connected")),
    Counted(NetworkUse, "use", ("kind", "is_enabled")),
    Counted(Leg, "leg", ("type", "link_mode")),
    Counted(SpeedTest, "speed_test", ("leg_id",), owner=("bond_id", Bond)),
)
MOST_TOLD = 5


def before_migrations(plan: list[Any], using: str, **signal: Any) -> None:
    """Drop the triggers when tables may be made anew: SQLite renames none that a trigger names."""
    if plan and using == DEFAULT_DB_ALIAS:
        counting.uninstall()


def after_migrations(using: str, **signal: Any) -> None:
    """Make the triggers that are not there, and count anew if any was not."""
    if using == DEFAULT_DB_ALIAS and is_migrated():
        counting.install(COUNTED)


def is_migrated() -> bool:
    """Report whether every migration is applied; a restore goes by parts, and has its triggers
    after the last, or when an older backup is brought up to date."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def recount_restored() -> None:
    """Put counts right after a load: triggers counted it, beside the counts loaded with it."""
    if is_migrated():
        counting.recount(COUNTED)


def fold_counts(*, now: datetime) -> None:
    """Make one row of the many that changes left."""
    counting.fold()


def check_counts(*, now: datetime) -> None:
    """Count anew; a difference is a defect, or somebody wrote past the triggers."""
    wrong = counting.recount(COUNTED)
    if wrong:
        raise_alert(
            code="counts_differed",
            about="statistics",
            text=f"Counts of spaces were wrong and are put right: {words_of(wrong)}. Somebody "
            "wrote to the database without its triggers, or it is a defect of the server.",
            now=now,
        )


def words_of(wrong: list[counting.Difference]) -> str:
    """Return what was wrong, the first few in full."""
    told = [f"space {one.space_id} {one.what} by {one.whole:+}" for one in wrong[:MOST_TOLD]]
    more = len(wrong) - MOST_TOLD
    return ", ".join([*told, f"and {more} more"] if more > 0 else told)
