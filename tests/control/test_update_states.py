"""Each row of the table of behaviour 1.9, and what is not in it."""

from datetime import UTC, datetime, timedelta

import pytest

from openbond.server.control.update_states import (
    TRANSITIONS,
    Event,
    offered_again_at,
    sources_of,
)
from openbond.server.fleet.models import UpdateStatus

PENDING, SENT = UpdateStatus.PENDING, UpdateStatus.SENT
APPLIED, FAILED = UpdateStatus.APPLIED, UpdateStatus.FAILED
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "event", "then"),
    [
        pytest.param(PENDING, Event.DELIVERED, SENT, id="fetching a revision sends what it holds"),
        pytest.param(SENT, Event.DELIVERED, None, id="fetched twice is harmless"),
        pytest.param(SENT, Event.APPLIED, APPLIED, id="a report settles it"),
        pytest.param(SENT, Event.FAILED, FAILED, id="a report of failure marks it"),
        pytest.param(FAILED, Event.DELIVERED, SENT, id="the next delivery tries again"),
        pytest.param(FAILED, Event.APPLIED, APPLIED, id="a later revision settles a failed one"),
        pytest.param(FAILED, Event.FAILED, FAILED, id="another failure counts up"),
        pytest.param(PENDING, Event.APPLIED, APPLIED, id="applied proves that it was fetched"),
        pytest.param(PENDING, Event.FAILED, FAILED, id="failed proves that it was fetched"),
        pytest.param(APPLIED, Event.DELIVERED, None, id="applied is final when fetched again"),
        pytest.param(APPLIED, Event.APPLIED, None, id="applied is final when told again"),
        pytest.param(APPLIED, Event.FAILED, None, id="applied is final whatever fails later"),
    ],
)
def test_the_status_after_an_event(
    status: UpdateStatus, event: Event, then: UpdateStatus | None
) -> None:
    assert TRANSITIONS.get((status, event)) == then


def test_nothing_but_a_report_leads_to_applied_or_failed() -> None:
    by_delivery = sources_of(Event.DELIVERED)

    assert set(by_delivery) == {SENT}


def test_nothing_leads_back_to_pending() -> None:
    assert PENDING not in TRANSITIONS.values()


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(1, timedelta(minutes=1)), (2, timedelta(minutes=5)), (3, timedelta(minutes=15))],
)
def test_a_failed_revision_is_offered_again_after(failures: int, wait: timedelta) -> None:
    assert offered_again_at(failures, now=NOON) == NOON + wait


@pytest.mark.parametrize(
    ("now", "night"),
    [
        pytest.param(NOON, datetime(2026, 3, 6, 3, 0, tzinfo=UTC), id="by day: the next night"),
        pytest.param(
            datetime(2026, 3, 5, 1, 0, tzinfo=UTC),
            datetime(2026, 3, 5, 3, 0, tzinfo=UTC),
            id="before 03:00: the same night",
        ),
        pytest.param(
            datetime(2026, 3, 5, 3, 0, tzinfo=UTC),
            datetime(2026, 3, 6, 3, 0, tzinfo=UTC),
            id="at 03:00: not at once again",
        ),
    ],
)
def test_after_three_failures_it_is_offered_once_a_night(now: datetime, night: datetime) -> None:
    assert offered_again_at(4, now=now) == night
    assert offered_again_at(40, now=now) == night
