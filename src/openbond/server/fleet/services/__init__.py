"""Writes to nodes, routing groups and config updates. `by` is who writes."""

from .aggregators import (
    AggregatorChanges,
    AggregatorOptions,
    create_aggregator,
    delete_aggregator,
    write_aggregator,
)
from .config_updates import request_config_update
from .nodes import NodeChanges, NodeOptions, bury, insert_node, node_defaults, write_node
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
    "insert_node",
    "node_defaults",
    "request_config_update",
    "update_routing_group",
    "write_aggregator",
    "write_node",
]
