from django.db import transaction

from openbond.server.fleet.models import ConfigUpdate
from openbond.server.fleet.selectors import config_update_counts
from openbond.server.fleet.services import request_config_update
from tests.world import World


def test_updates_are_counted_by_status_with_their_failures(world: World) -> None:
    ConfigUpdate.objects.all().delete()
    with transaction.atomic():
        for _ in range(4):
            request_config_update([world.bonder], reason="asked for")
    first, second, third, _ = ConfigUpdate.objects.order_by("id")
    for update, status, failures in (
        (first, "applied", 2),
        (second, "failed", 3),
        (third, "sent", 0),
    ):
        ConfigUpdate.objects.filter(pk=update.pk).update(status=status, failure_count=failures)

    counts = config_update_counts(world.viewer("ana"))

    assert counts.by_status == {"pending": 1, "sent": 1, "applied": 1, "failed": 1}
    assert (counts.count, counts.failures) == (4, 5)


def test_updates_of_nodes_out_of_reach_are_not_counted(world: World) -> None:
    ConfigUpdate.objects.all().delete()
    with transaction.atomic():
        request_config_update([world.bonder, world.home], reason="asked for")

    assert config_update_counts(world.viewer("admin")).count == 2
    assert config_update_counts(world.viewer("ana")).count == 1
    assert config_update_counts(world.viewer("gil")).by_status == {
        "pending": 0,
        "sent": 0,
        "applied": 0,
        "failed": 0,
    }
