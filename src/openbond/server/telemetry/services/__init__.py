"""Writes of what was measured.

taking_in.py    reports become rows, each once
rolling_up.py   samples become roll-ups of a minute, these of an hour
pruning.py      rows that were kept long enough go
"""
