"""A fleet of simulated nodes: the real agent channel, and nothing behind it (issue 5).

prepare.py     rows of a fleet in bulk: bonds with three legs, and machines that are enrolled
__main__.py    a child process that wakes Django for it; the fleet itself runs without
roster.py      what the child hands over: who there is, and what the keys stem from
connection.py  HTTP/1.1 over a kept TLS connection, answer by answer
node.py        one node: its key, the poll that it holds, the reports that it sends
fleet.py       all of them on one event loop, and what was seen meanwhile
run.py         makes a fleet and plays it for a while; cli.py is the command
changes.py     changes by the API, and how long each takes to its node

Here and not in the server: it speaks the nodes' side of the channel, and the server has no client.
`openbond.cli` hooks the command in beside those of the server.
"""
