"""Measures the server on this machine. Django wakes only in child processes, never in the command.

children.py   starts the child processes of one part, each part on an empty database of its own
__main__.py   such a child: wakes Django, then runs one module below
rows_in.py    rows in bulk: seeds by the ORM, the rest by INSERT … SELECT
asking.py     calls the server as its own front does, and keeps the statements it ran
plain.py      the same page through ordinary serializers, to compare with
page.py memory.py tree.py writers.py failover.py charts.py   the measurements: `fill` and
              `measure` each
"""
