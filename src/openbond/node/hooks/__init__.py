"""The hook runner: starts the operator's hooks as root, and only those that root alone can change.

messages.py  what the agent asks of it, and what it remembers
folders.py   which files are hooks of an object, in which order, and which are not to be trusted
starting.py  one hook: its environment, its 30 s, and what came of it, in words
runner.py    the program: one object after the other, whatever the agent does meanwhile
"""
