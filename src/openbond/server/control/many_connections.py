"""What a process needs to hold ten thousand TLS connections: files, small buffers, short turns."""

import resource
import sys
from asyncio import sslproto

# One record of TLS and its frame (RFC 8446, section 5.2). asyncio gives each connection a buffer
# of 256 KiB, and allocates as much again for each read: 2.5 GB for 10,000 polls that are held.
TLS_BUFFER_BYTES = 17 * 1024
# The loop gives the interpreter away at each read, write and step of a handshake, and a thread that
# computes gives it back after this time (Python's own: 5 ms): fifty a second is no rate to connect.
SECONDS_OF_A_THREAD = 0.0005


def prepare_for_many_connections() -> int:
    """Make room for as many connections as the system allows; return how many files that are."""
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    sys.setswitchinterval(SECONDS_OF_A_THREAD)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
