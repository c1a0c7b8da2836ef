"""Every byte layout and constant of the tunnel, version 1 (behaviour 2.3; design/tunnel.md).

All numbers are big-endian. A datagram begins with one byte, its type. Handshake messages then
follow `handshake.py`'s Noise layout. Every other message has a header that is authenticated as
associated data, then a body (ciphertext in security mode `encryption`, clear text else) and a tag:

    0   u8   type
    1   u8   flags: 0x07 QoS class, 0x08 copy, 0x10 compressed, 0x20 last segment, 0x40 repaired
    2   u16  session: the number the receiver gave this keypair in the handshake
    4   u64  leg sequence: nonce, replay window, loss; rises by one per datagram of a keypair
   12        end of the header of PROBE, ECHO, HEARING, BUNDLE, MTU_PROBE, MTU_ACK
   12   u16  flow
   14   u32  flow sequence
   18        end of the header of PACKET
   18   u16  offset of this slice in the payload of the super-packet it was cut from
   20        end of the header of SEGMENT

PACKET   body: one inner packet.
SEGMENT  body: the inner IP and TCP/UDP headers of the super-packet as the kernel gave them, then
         the slice. The receiver derives their length from the headers themselves, adds `offset` to
         the TCP sequence number, and repairs lengths and checksums.
BUNDLE   body: for each inner packet u16 length, u16 flow, u32 flow sequence, then the packet.

The tag is 16 bytes. Data (PACKET, SEGMENT, BUNDLE) of security mode `none` has no tag; every other
message always has one. The nonce of AES-GCM is four zero bytes and the leg sequence: a key serves
one leg, one direction and one handshake only.
"""

import struct
from enum import IntEnum

VERSION = 1


class Type(IntEnum):
    INITIATION = 1
    RESPONSE = 2
    COOKIE = 3
    PROBE = 4
    ECHO = 5
    HEARING = 6
    MTU_PROBE = 7
    MTU_ACK = 8
    PACKET = 9
    SEGMENT = 10
    BUNDLE = 11


FLAG_CLASS = 0x07
FLAG_COPY = 0x08
FLAG_COMPRESSED = 0x10
FLAG_LAST = 0x20
FLAG_REPAIRED = 0x40

HEADER = struct.Struct(">BBHQ")  # type, flags, session, leg sequence
PACKET_HEADER = struct.Struct(">BBHQHI")  # ..., flow, flow sequence
SEGMENT_HEADER = struct.Struct(">BBHQHIH")  # ..., flow, flow sequence, offset
BUNDLED = struct.Struct(">HHI")  # length, flow, flow sequence

TAG_SIZE = 16
OUTER_IPV4 = 28  # IPv4 and UDP
OUTER_IPV6 = 48
HEADER_MOST = 20

# Most bytes added to a full-size inner packet (behaviour 2.3), without the outer headers.
OVERHEAD_PLAIN = HEADER_MOST
OVERHEAD_TAGGED = HEADER_MOST + TAG_SIZE

# Packets smaller than this that wait in the same turn share a datagram (design/tunnel.md, idea 2).
BUNDLE_BELOW = 600

REKEY_AFTER_PACKETS = 2**60
REPLAY_WINDOW = 8192
