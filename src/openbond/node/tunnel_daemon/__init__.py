"""The tunnel daemon: holds one bond's TUN device and leg sockets, and moves its packets.

daemon.py     the loop, and what happens in it
settings.py   the agent's settings, as the tunnel wants them
legs.py       the sockets of the legs: opened, waited for, opened anew
door.py       the Unix socket through which the agent speaks
starts.py     how often the daemon was started, a number that rises for ever
"""

from .daemon import run

__all__ = ["run"]
