"""Reads of what was measured.

rows.py     the packed rows
charts.py   the points of a chart of a bond (behaviour 4.8)
newest.py   the newest sample of everything a viewer reaches
"""
