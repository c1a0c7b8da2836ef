"""What server and nodes say to each other: frozen values and their JSON. Imports nothing of ours.

config.py    one complete document per node, and the signed envelope around it (behaviour 1.7)
exchange.py  the three exchanges: enrol, poll, report (behaviour 1.5)
reports.py   what a node tells the server (behaviour 1.8, 1.9, 3.3)
metrics.py   the series that a node measures, and their columns (behaviour 4.7)
speed_tests.py what a node is told to measure (behaviour 4.3)
canonical.py the one spelling of a document that is hashed and signed
states.py    the closed sets both sides know

VERSION is one integer with a dated history:
    1  2026-11  first
"""

VERSION = 1
