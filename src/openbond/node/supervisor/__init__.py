"""The small program that keeps a node's programs running where there is no systemd unit for each.

restarts.py   when a program that ended is started again (pure)
children.py   starting, finding again and ending one process
supervisor.py the loop: program files in, processes out
"""
