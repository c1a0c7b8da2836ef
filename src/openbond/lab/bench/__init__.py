"""Measures the tunnel and the server on this machine: ratios, taken in one run.

pair.py        two tunnel daemons in network namespaces
lines.py       the lines between them
traffic.py     what is sent through it, and what came of it
tunnel.py      the measurements, one function each
profiles.py    the shapes of behaviour 7.3
matrix.py      one shape measured: the bond against its best leg alone
aggregator.py  many idle bonds on one aggregator: memory and restart
server/        the same for the server and its API
rows.py        a row of the table: value, bar, verdict
cli.py         `openbond bench`
"""
