"""Writes to allocations, and the index of what routing objects occupy."""

from .allocations import (
    check_giver,
    create_allocation,
    create_delegation,
    create_delegation_to,
    delegate_down,
    delete_allocation,
    update_allocation,
)
from .assignments import assign_routing_group, unassign_routing_group
from .merging import merge_allocations
from .uses import check_allocation, check_conflict, forget_bond, forget_use, note_use

__all__ = [
    "assign_routing_group",
    "check_allocation",
    "check_conflict",
    "check_giver",
    "create_allocation",
    "create_delegation",
    "create_delegation_to",
    "delegate_down",
    "delete_allocation",
    "forget_bond",
    "forget_use",
    "merge_allocations",
    "note_use",
    "unassign_routing_group",
    "update_allocation",
]
