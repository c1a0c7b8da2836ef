"""Mobile broadband by ModemManager over D-Bus (behaviour 3.8): the client of all modems of a node.

messages.py       what the agent gives it, and what it leaves for the agent
objects.py        ModemManager's objects as values (pure)
assignment.py     which modem serves which leg (pure)
ladder.py         the recovery ladder: what to do about a leg that stays silent (pure)
modem_manager.py  ModemManager itself, over D-Bus
usb_power.py      switching the power of a modem's USB port
silence.py        on which legs nothing is heard, as their tunnel daemons say
legs.py           what the client knows of one leg
client.py         the program: looks, connects, climbs the ladder, tells
"""
