"""Writes to nodes, routing groups and config updates. `by` is who writes."""

from .aggregators import (
    AggregatorChanges,
    AggregatorOptions,
    create_aggregator,
    delete_aggregator,
    write_aggregator,
)
from .config_updates import request_config_update
from .nodes import NodeChanges, NodeOptions, bury, new_node_key, write_node
from .routing_groups import create_routing_group, delete_routing_group, update_routing_group

__all__ = [
    "AggregatorChanges",
    "AggregatorOptions",
    "NodeChanges",
    "NodeOptions",
    "bury",
    "create_aggregator",
    "create_routing_group",
    "delete_aggregator",
    "delete_routing_group",
    "new_node_key",
    "request_config_update",
    "update_routing_group",
    "write_aggregator",
    "write_node",
]
