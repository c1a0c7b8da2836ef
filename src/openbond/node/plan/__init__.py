"""From a config and what the kernel has to the steps between them. Pure: nothing is done here.

numbers.py     the tables, priorities and marks by which we know what is ours
values.py      what a node can have: devices, addresses, routes, rules, programs (frozen)
desired.py     what a config wants (from content and facts)
site.py        ... at a bonder: legs, connected IPs, routes
core.py        ... at an aggregator: networks of its bonds
private_wans.py  ... tables and VXLANs of spaces; trunks.py: tunnels between aggregators
ruleset.py     ... of the packet filter, as nftables JSON
difference.py  the steps from observed to desired, add before delete
"""
