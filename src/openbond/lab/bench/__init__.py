"""Measures the tunnel and the server on this machine: ratios, taken in one run.

pair.py       two tunnel daemons and the lines between them, in network namespaces
traffic.py    what is sent through it, and what came of it
tunnel.py     the measurements, one function each
server/       the same for the server and its API
rows.py       a row of the table: value, bar, verdict
cli.py        `openbond bench`
"""
