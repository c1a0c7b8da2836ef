"""The management channel as the node opens it: signed HTTPS over any leg, tried one by one (§1.5).

ways.py       which leg to try in which order (pure)
trust.py      TLS contexts, and what a failed check means in words
addresses.py  the server's name resolved per leg; the addresses that worked last
requests.py   one HTTPS request over one way
budget.py     octets of the month on mobile legs
client.py     the exchanges poll and report
enrol.py      the exchange that makes a machine a node
numbers.py    numbers that only rise, across power cuts
"""
