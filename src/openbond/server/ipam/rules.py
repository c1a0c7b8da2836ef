"""What an allocation may be (api-v3 04-routing 5). No database, no clock."""

from ipaddress import IPv4Network

from openbond.server.system.addresses import is_refused

REFUSED = "{network} holds addresses that cannot be used."
NO_ROUTING_GROUP = "The space must own at least one routing group first."
OVERLAPS_ALLOCATION = "The network overlaps another allocation."
OVERLAPS_DELEGATION = "The network overlaps another delegation."
OUTSIDE_PARENT = "The network must lie inside {parent}."
NOT_A_CHILD = "The space must be a direct child of the space that holds the parent."
HOLDS_OBJECTS = "The giving space has routing objects in this network."
LEAVES_PARTS = "A routing object or delegation inside the network would no longer be inside."
NOT_HELD_ABOVE = "The parent space holds no network that contains this one."


def fault_of_network(network: IPv4Network) -> str:
    """Return why a network can be no allocation, or nothing."""
    return REFUSED.format(network=network) if is_refused(network) else ""
