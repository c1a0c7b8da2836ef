"""Trouble on the lines of a lab in an order from a seed, and what must hold all the while.

plan.py       which trouble strikes which legs, step by step: a pure function of the seed
deeds.py      what each trouble does to a line, and how it is undone
witness.py    what is seen: gaps, states, processes, config updates
run.py        the loop: do, watch, say what was not as it must be
"""
