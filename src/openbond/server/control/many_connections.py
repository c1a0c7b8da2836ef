"""What a process needs before it holds ten thousand TLS connections: files, and small buffers."""

import resource
from asyncio import sslproto

# One record of TLS and its frame (RFC 8446, section 5.2). asyncio gives each connection a buffer
# of 256 KiB, and allocates as much again for each read: 2.5 GB for 10,000 polls that are held.
TLS_BUFFER_BYTES = 17 * 1024


def prepare_for_many_connections() -> int:
    """Make room for as many connections as the system allows; return how many files that are."""
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
