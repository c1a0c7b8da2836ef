"""The client of one PPPoE leg: pppd with its kernel plugin, redialled for ever (behaviour 3.8).

redial.py  how long to wait, and what pppd's end means in words (pure)
dialer.py  the program: starts pppd, waits, tells
"""
