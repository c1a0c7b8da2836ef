"""Arithmetic of samples, roll-ups and charts: no database, no clock.

columns.py     whole numbers to bytes and back
samples.py     what one report told of one object
gathering.py   samples and roll-ups into cells of one length
roll_ups.py    cells to a row and back
charts.py      which charts there are, and their points
"""
