"""Reads that are written once: they say what the ORM says, and see what was written since."""

from datetime import timedelta

import pytest
from django.db.models import DateTimeField

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.bonds.selectors import fresh_states
from openbond.server.system.prepared import Among, Given, ManyWrites, Prepared, ids_of
from openbond.server.system.shown_times import shown_times
from openbond.wire.states import ShownState
from tests.queries import queries_of
from tests.world import World

COLUMNS = ["id", "type", "failover", "ip_key", "note", "report__down_mtu"]


@pytest.fixture
def legs() -> Prepared:
    since = Given("since", DateTimeField())
    return Prepared(
        lambda: Leg.objects.filter(Among("id", "ids")).order_by("-id"),
        *COLUMNS,
        **shown_times("created"),
        **fresh_states(since=since),
    )


def test_a_prepared_read_says_what_the_orm_says(world: World, legs: Prepared) -> None:
    ids = [world.dhcp_leg.pk, world.static_leg.pk]

    found = legs.run(ids=ids_of(ids), since=world.now)

    plain = Leg.objects.filter(pk__in=ids).order_by("-id")
    fresh = fresh_states(since=world.now)
    assert found == list(plain.values(*COLUMNS, **shown_times("created"), **fresh))
    assert found[0]["failover"] is False


def test_it_sees_what_was_written_since(world: World, legs: Prepared) -> None:
    ids = ids_of([world.dhcp_leg.pk])
    before = legs.run(ids=ids, since=world.now)

    reports = LegReport.objects.filter(leg=world.dhcp_leg)
    reports.update(bonder_state="up", bonder_reported=world.now)

    states = [
        legs.run(ids=ids, since=since)[0]["fresh_bonder_state"]
        for since in (world.now, world.now + timedelta(microseconds=1))
    ]
    assert before[0]["fresh_bonder_state"] is None
    assert states == ["up", None]


def test_many_ids_and_none_are_one_query_each(world: World, legs: Prepared) -> None:
    many = list(range(1, 40_000))

    queries = queries_of(lambda: legs.run(ids=ids_of(many), since=world.now))

    assert len(queries) == 1
    assert legs.run(ids=ids_of([]), since=world.now) == []


def test_many_writes_store_what_the_orm_would_store(world: World) -> None:
    leg = world.dhcp_leg
    values = {
        "bonder_state": ShownState.UP,
        "bonder_reported": world.now,
        "rtt_us": 12_000,
        "ip": "10.1.2.3",
        "ip_key": b"\x06" + b"\x00" * 16,
        "prefix": None,
        "lease_obtained": world.now,
        "operator": "Ö",
    }

    ManyWrites(LegReport, *values).run([(leg.pk, *values.values())])

    stored = LegReport.objects.filter(pk=leg.pk).values(*values).get()
    LegReport.objects.filter(pk=leg.pk).update(**values)
    assert stored == LegReport.objects.filter(pk=leg.pk).values(*values).get()
    assert (stored["ip"], stored["bonder_reported"]) == ("10.1.2.3", world.now)
