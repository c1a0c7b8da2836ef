"""What a process needs to hold ten thousand TLS connections: files, small buffers, short turns."""

import gc
import resource
import sys
from asyncio import sslproto

# One record of TLS and its frame (RFC 8446, section 5.2). asyncio gives each connection a buffer
# of 256 KiB, and allocates as much again for each read: 2.5 GB for 10,000 polls that are held.
TLS_BUFFER_BYTES = 17 * 1024
# The loop gives the interpreter away at each read, write and step of a handshake, and a thread that
# computes gives it back after this time. With two such threads the loop answers 120 requests a
# second at Python's own 5 ms, 590 at 0.5 ms and 850 at 0.1 ms; 10,000 nodes ask 530 times.
SECONDS_OF_A_THREAD = 0.0002
# A search for garbage stops every thread for as long as it takes to look at each object, and a
# server of 10,000 nodes holds a million: a second and more, several times a minute, for a report
# alone makes a hundred objects. Nearly nothing of ours is garbage in circles, so objects are looked
# at when so many more were made than freed; those that outlived one such look (two thirds of a
# second, when they were twenty looks' worth), only by `collect_garbage`.
YOUNG_OBJECTS = 50_000
NEVER = 1_000_000


def prepare_for_many_connections() -> int:
    """Make room for as many connections as the system allows; return how many files that are."""
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    sys.setswitchinterval(SECONDS_OF_A_THREAD)
    gc.set_threshold(YOUNG_OBJECTS, NEVER, NEVER)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def keep_for_good() -> None:
    """Leave out what is there now, modules above all, of every later search for garbage."""
    gc.collect()
    gc.freeze()


def collect_garbage() -> None:
    """Look at every object that is not kept for good: some tenths of a second with 10,000 nodes."""
    gc.collect()
