"""Arithmetic about settings. No database, no clock."""

from collections.abc import Container
from datetime import datetime, timedelta
from zoneinfo import available_timezones

# Files beside the zones of the database that name none.
NO_ZONES = frozenset({"localtime", "Factory"})

BELOW_INTERVAL = "Must be below the interval of {interval} s."
ABOVE_TIMEOUT = "Must be above the time to wait for an answer, {timeout} s."
NOT_BEFORE_COLLECTION = "Must be at least the collection interval of {collection} s."
NOT_ABOVE_REPORTING = "Must be at most the reporting interval of {reporting} s."


def timezone_names() -> frozenset[str]:
    """Return the names of the IANA time zones that this machine knows."""
    return frozenset(available_timezones() - NO_ZONES)


def faults_of_settings(
    *,
    sent: Container[str],
    failover_interval: int,
    failover_receive_timeout: int,
    metric_collection_interval: int,
    metric_reporting_interval: int,
) -> dict[str, list[str]]:
    """Return what does not fit together, on the fields that were sent (seconds)."""
    return faults_of_checks(
        sent=sent, interval=failover_interval, timeout=failover_receive_timeout
    ) | faults_of_metrics(
        sent=sent, collection=metric_collection_interval, reporting=metric_reporting_interval
    )


def faults_of_checks(*, sent: Container[str], interval: int, timeout: int) -> dict[str, list[str]]:
    """An answer is waited for less long than it is until the next check (seconds)."""
    if timeout < interval:
        return {}
    if "failover_receive_timeout" in sent:
        return {"failover_receive_timeout": [BELOW_INTERVAL.format(interval=interval)]}
    return {"failover_interval": [ABOVE_TIMEOUT.format(timeout=timeout)]}


def faults_of_metrics(
    *, sent: Container[str], collection: int, reporting: int
) -> dict[str, list[str]]:
    """Metrics are not reported more often than they are collected (seconds)."""
    if reporting >= collection:
        return {}
    if "metric_reporting_interval" in sent:
        return {"metric_reporting_interval": [NOT_BEFORE_COLLECTION.format(collection=collection)]}
    return {"metric_collection_interval": [NOT_ABOVE_REPORTING.format(reporting=reporting)]}


# A mail that cannot be sent is tried again for a day (behaviour 6.8).
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=1)
TRIED_FOR = timedelta(hours=24)
DOUBLINGS_MOST = 6  # 64 min: beyond the longest pause


def next_try(*, attempts: int, created: datetime, now: datetime) -> datetime | None:
    """Return when to try a mail again after so many failed attempts; None: give it up."""
    if now - created >= TRIED_FOR:
        return None
    pause = FIRST_RETRY * (1 << min(max(0, attempts - 1), DOUBLINGS_MOST))
    return now + min(pause, LONGEST_RETRY)
