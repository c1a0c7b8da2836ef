"""Measures the tunnel on this machine: ratios, taken in one run.

pair.py       two tunnel daemons and the lines between them, in network namespaces
traffic.py    what is sent through it, and what came of it
tunnel.py     the measurements, one function each
cli.py        `openbond bench`
"""
