"""A whole bonded-internet operator in network namespaces on one machine."""
