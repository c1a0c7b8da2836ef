"""Config updates: pending, sent, applied; in order; waiting while a node is cut off."""

import time

import pytest

from openbond.lab.layout import LINES
from openbond.lab.waiting import wait_until

from .site import ConfigUpdateRow, Site, all_applied

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]


def rows_of(site: Site, node_id: int, since: int) -> list[ConfigUpdateRow]:
    return [row for row in site.config_updates(since) if row.node_id == node_id]


def test_a_change_is_applied_at_both_ends(site: Site) -> None:
    since = site.last_update()

    site.change_bond(reorder_max_hold=110)
    after = wait_until(
        lambda: all_applied(site.config_updates(since)), what="all rows are applied", patience=10
    )

    nodes = {row.node_id for row in site.config_updates(since)}
    bonder = site.bond().bonder.id
    assert bonder in nodes
    assert len(nodes) == 2
    assert after <= 10
    site.change_bond(reorder_max_hold=150)


def test_updates_for_a_bonder_that_is_cut_off_wait_in_order_and_arrive(site: Site) -> None:
    bonder = site.bond().bonder.id
    site.cut(*LINES)
    site.wait_for_states({line.number: "down" for line in LINES}, patience=15)
    since = site.last_update()

    for hold in (120, 130, 140):
        site.change_bond(reorder_max_hold=hold)
        time.sleep(0.5)  # changes within 200 ms share one revision (1.7)
    time.sleep(2)
    waiting = rows_of(site, bonder, since)
    site.mend(*LINES)
    seen = watch_until_applied(site, bonder, since)
    site.wait_until_whole()

    assert len(waiting) == 3
    assert {row.status for row in waiting} <= {"pending", "sent"}
    assert all(is_in_order(statuses) for statuses in seen), seen
    # The aggregator kept its tunnel waiting with its confirmation, and has them too (1.8, step 4).
    wait_until(
        lambda: all_applied(site.config_updates(since)), what="both ends have them", patience=20
    )
    site.change_bond(reorder_max_hold=150)


def watch_until_applied(site: Site, node_id: int, since: int) -> list[list[str]]:
    """Return what was seen of the rows, one list of statuses per look, until all are applied."""
    seen: list[list[str]] = []

    def are_applied() -> bool:
        rows = rows_of(site, node_id, since)
        seen.append([row.status for row in rows])
        return all_applied(rows)

    wait_until(are_applied, what="the bonder has applied them", patience=90)
    return seen


def is_in_order(statuses: list[str]) -> bool:
    """An earlier row is never behind a later one."""
    rank = {"pending": 0, "sent": 1, "applied": 2}
    ranks = [rank[status] for status in statuses]
    return ranks == sorted(ranks, reverse=True)
