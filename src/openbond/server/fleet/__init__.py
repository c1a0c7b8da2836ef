"""Nodes: aggregators, bonders, routing groups, and the config updates they must learn."""
