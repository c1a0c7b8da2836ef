"""Reports of metrics: each once, at corrected times, of what the node carries, in sane bounds."""

import pytest

from openbond.server.telemetry.models import Samples, Subject
from openbond.server.telemetry.rules import samples as rules
from openbond.server.telemetry.rules.series import ITSELF, Told
from openbond.server.telemetry.services.taking_in import take_in

from .telling import BOND, BONDER, HOUR_MS, LEGS, MINUTE_MS, NOON_MS, Teller

pytestmark = pytest.mark.django_db(databases=["telemetry"])


def rows(told: Told = Told.BOND_BY_BONDER) -> list[rules.Samples]:
    subjects = Subject.objects.filter(told=told).values("pk")
    found = Samples.objects.filter(subject_id__in=subjects).order_by("pk")
    return [rules.decoded(bytes(row.packed)) for row in found]


def test_a_report_becomes_one_row_of_the_node_and_one_of_each_bond() -> None:
    Teller().tell_minute(NOON_MS, 42)

    subjects = {(row.told, row.object_id) for row in Subject.objects.all()}
    assert subjects == {(Told.NODE, BONDER), (Told.BOND_BY_BONDER, BOND)}
    (bond,) = rows()
    assert [part.owner for part in bond.parts] == [ITSELF, *LEGS]
    assert Samples.objects.count() == 2


def test_a_report_that_comes_twice_counts_once() -> None:
    teller = Teller()
    teller.tell_minute(NOON_MS, 42)

    teller.tell(*teller.sent, now_ms=NOON_MS + 2 * MINUTE_MS)

    assert len(rows()) == 1


def test_only_the_new_ones_of_several_reports_are_stored() -> None:
    teller = Teller()
    one, two = (teller.measure([NOON_MS + shift], bond={"up": [1]}) for shift in (0, MINUTE_MS))
    teller.tell(one, now_ms=NOON_MS)

    teller.tell(two, one, now_ms=NOON_MS + MINUTE_MS)
    teller.tell(one, now_ms=NOON_MS + MINUTE_MS)

    assert [row.start_ms for row in rows()] == [NOON_MS, NOON_MS + MINUTE_MS]


def test_requests_of_many_nodes_are_stored_together_each_report_once() -> None:
    one, other = Teller(), Teller(node_id=6, bond_id=8, teller=3)
    first, second = (one.measure([NOON_MS + shift], bond={"up": [1]}) for shift in (0, MINUTE_MS))
    of_other = other.measure([NOON_MS], bond={"up": [2]})

    brought = [
        one.brought(first, sent_at_ms=NOON_MS + MINUTE_MS),
        other.brought(of_other, sent_at_ms=NOON_MS + MINUTE_MS),
        one.brought(first, second, sent_at_ms=NOON_MS + MINUTE_MS),
    ]
    take_in(brought, now_ms=NOON_MS + MINUTE_MS)
    take_in(brought, now_ms=NOON_MS + MINUTE_MS)

    assert sorted(row.start_ms for row in rows()) == [NOON_MS, NOON_MS, NOON_MS + MINUTE_MS]
    numbers = Subject.objects.filter(told=Told.NODE).values_list("object_id", "last_number")
    assert set(numbers) == {(BONDER, 2), (6, 1)}


def test_another_machine_with_the_nodes_key_counts_from_one_again() -> None:
    first, second = Teller(), Teller(teller=2)
    first.tell_minute(NOON_MS, 1)
    first.tell_minute(NOON_MS + MINUTE_MS, 1)

    second.tell_minute(NOON_MS + 2 * MINUTE_MS, 2)

    assert len(rows()) == 3


def test_times_are_the_servers_whatever_the_nodes_clock_says() -> None:
    teller, wrong = Teller(), 5 * HOUR_MS
    report = teller.measure([NOON_MS + wrong, NOON_MS + wrong + 10_000], bond={"up": [1, 2]})

    teller.tell(report, now_ms=NOON_MS + 30_000, sent_at_ms=NOON_MS + wrong + 30_000)

    (row,) = rows()
    assert (row.start_ms, row.offsets_ms) == (NOON_MS, [0, 10_000])


def test_nothing_is_measured_after_it_arrived() -> None:
    teller = Teller()

    teller.tell(teller.measure([NOON_MS + HOUR_MS], bond={"up": [1]}), now_ms=NOON_MS)

    assert rows()[0].start_ms == NOON_MS


@pytest.mark.parametrize(
    "times",
    [
        [],
        [NOON_MS] * 601,
        [NOON_MS - 9 * 24 * HOUR_MS],
        [NOON_MS - 25 * HOUR_MS, NOON_MS],
        [-(10**30)],
    ],
)
def test_times_that_make_no_sense_are_left_out(times: list[int]) -> None:
    teller = Teller()

    teller.tell(teller.measure(times, bond={"up": [1]}), now_ms=NOON_MS)

    assert rows() == []
    assert Subject.objects.get(told=Told.NODE).last_number == 1


def test_what_the_node_does_not_carry_is_left_out() -> None:
    teller = Teller(leg_ids=[21])
    report = teller.measure([NOON_MS], legs={21: {"up": [1]}, 99: {"up": [1]}})
    other = Teller(bond_id=8, number=2).measure([NOON_MS], bond={"up": [1]})

    teller.tell(report, other, now_ms=NOON_MS)

    (row,) = rows()
    assert [part.owner for part in row.parts] == [21]


def test_values_that_make_no_sense_are_unknown() -> None:
    teller = Teller()
    report = teller.measure(
        [NOON_MS, NOON_MS + 10_000],
        bond={"up": [2**60, 5], "down": [1, 2, 3], "nonsense": [1], "dropped_bad_tag": [0, 3]},
    )

    teller.tell(report, now_ms=NOON_MS + 10_000)

    (row,) = rows()
    assert row.parts[0].series == [(0, [None, 5]), ("dropped_bad_tag", [0, 3])]
