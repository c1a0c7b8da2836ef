"""The agent: fetch, observe, plan, apply, report (behaviour 1.2, 1.8).

agent.py       the program: joins the parts and runs their loops
keeper.py      brings the machine to what is wanted, and again whenever something changes
lifecycle.py   from fetched to last-good or rolled back
polling.py     asks the server for a newer config
reporting.py   hands over what happened
daemons.py     the tunnel daemons: settings in, states out
watching.py    are the programs alive
door.py        answers `openbond node status`, `ping` and `fetch`
"""
