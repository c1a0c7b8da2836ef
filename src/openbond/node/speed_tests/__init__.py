"""Runs the speed tests that the server orders (behaviour 4.1 to 4.3).

iperf.py     the traffic: iperf3, without any privilege
counting.py  what the tunnel counted, by seconds and in the mean (pure)
running.py   one test at one end, from the word to begin until the leg is back
"""
