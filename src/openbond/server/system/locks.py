"""Turns that writers take where no constraint can decide: overlaps, closures, counts."""

from enum import StrEnum
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from openbond.server.errors import Vanished

from .models import NamedLock

M = TypeVar("M", bound=Model)


class Lock(StrEnum):
    """What is decided one writer at a time, over all processes."""

    ADDRESSES = "addresses"  # overlaps of networks and allocations
    PORTS = "ports"  # of legs whose own is beyond the last
    ADMINISTRATORS = "administrators"  # the last one stays
    TASKS = "tasks"  # one of a kind in the queue
    SPEED_TESTS = "speed tests"  # how many run on an aggregator, and which is next


def take(lock: Lock) -> None:
    """Wait for a turn, kept until the transaction ends. Call it inside one.

    SQLite's IMMEDIATE transactions write one at a time anyway; PostgreSQL locks the row. Locks are
    taken in the order of their definition, so that nobody waits in a circle.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a lock lives as long as a transaction")
    if not connection.features.has_select_for_update:
        return
    NamedLock.objects.get_or_create(name=lock.value)
    NamedLock.objects.select_for_update().get(name=lock.value)


def hold(row: Model) -> None:
    """Wait until nobody else writes `row`, and keep it so until the transaction ends."""
    type(row)._default_manager.select_for_update().filter(pk=row.pk).first()


def locked(rows: QuerySet[M], pk: int) -> M:
    """Return the row as it is now, for this transaction alone to write.

    Raises Vanished if somebody deleted it since it was found.
    """
    row = rows.select_for_update(of=("self",)).filter(pk=pk).first()
    if row is None:
        raise Vanished
    return row
