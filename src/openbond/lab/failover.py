"""Aggregator failover in the lab: which aggregators there are, and whether they are checked."""

from collections.abc import Mapping

import msgspec

from .api import ApiClient, NodeView
from .errors import LabError
from .layout import AGGREGATORS
from .life import Lab


def watch_aggregators(lab: Lab, *, on: bool = True) -> None:
    """Have the server check both aggregators from now on, or no more. Raises LabError."""
    with lab.api() as api:
        for node in aggregators(api).values():
            api.patch(node.url, {"failover_monitoring": on}, msgspec.Raw)


def aggregators(api: ApiClient) -> Mapping[str, NodeView]:
    """Return the aggregators as the API shows them, by name. Raises LabError."""
    return {node.name: node for node in api.get("/api/v3/aggregators/", list[NodeView])}


def aggregator_named(kind: str, host: str) -> str:
    """Return the host an operator means. Raises LabError that lists what there is."""
    names = [one.host for one in AGGREGATORS]
    if kind != "aggregator":
        raise LabError(f"only an aggregator can be killed and revived so, not {kind!r}")
    if host not in names:
        raise LabError(f"no aggregator {host!r} in the lab; there are: {', '.join(names)}")
    return host
